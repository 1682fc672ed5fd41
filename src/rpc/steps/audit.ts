import { type ErrorReason, TenureError } from '../../base/errors.ts'
import { platformTenantId } from '../../base/ids.ts'
import type { CallState } from '../call-state.ts'
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
  const keepsLooks = policy.limitClass !== 'WRITE' && policy.auditEvent !== ''
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
  const { caller, context, target } = state
  if (caller === undefined) return
  parts.recorder.record({
    context,
    caller,
    actor: actorOf(state, caller),
    event,
    target,
    denied: reason !== '',
    reason,
  })
}
