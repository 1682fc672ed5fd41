import { type ErrorReason, TenureError } from '../../base/errors.ts'
import { platformTenantId } from '../../base/ids.ts'
import type { Caller } from '../call.ts'
import type { CallState } from '../call-state.ts'
import type { AccessEvent } from '../ports.ts'
import { actorOf } from './authorize.ts'
import type { StepFactory, StepParts } from './step.ts'

const alwaysDenials: ReadonlySet<ErrorReason> = new Set([
  'PERMISSION_MISSING',
  'WORKSPACE_MISMATCH',
  'GRANT_EXCEEDS_CALLER',
])

/**
 * Keeps what is not a change but worth keeping: refusals of known callers, and a platform credential's look into a
 * tenant. Changes are audited in the transaction that makes them.
 */
export const auditStep: StepFactory = (parts, { policy }) => {
  if (policy.scopes.has('PUBLIC')) return undefined
  const event = policy.auditEvent || policy.permission || policy.name
  // What is audited before its answer is kept already.
  const keepsLooks = policy.limitClass !== 'WRITE' && policy.auditEvent !== '' && !policy.auditBeforeAnswer
  return (state) => {
    if (state.caller === undefined) return
    if (state.error !== undefined) {
      keepDenial(parts, state, event)
    } else if (keepsLooks && state.context !== undefined && state.caller.tenantId === platformTenantId) {
      keep(parts, state, event, '')
    }
  }
}

function keepDenial(parts: StepParts, state: CallState, event: string): void {
  const { error } = state
  if (!(error instanceof TenureError) || !isDenial(error.reason, state)) return
  parts.metrics.accessDenied(error.reason)
  keep(parts, state, event, error.reason)
}

function isDenial(reason: ErrorReason, state: CallState): boolean {
  return alwaysDenials.has(reason) || (reason === 'NOT_FOUND' && !state.admitted)
}

function keep(parts: StepParts, state: CallState, event: string, reason: ErrorReason | ''): void {
  if (state.caller !== undefined) parts.recorder.record(eventOf(state, state.caller, event, reason))
}

export function eventOf(state: CallState, caller: Caller, event: string, reason: ErrorReason | ''): AccessEvent {
  const { context, target } = state
  return { context, caller, actor: actorOf(state, caller), event, target, denied: reason !== '', reason }
}
