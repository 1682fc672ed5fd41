import { isCanary, keepsCanaries } from '../../base/canaries.ts'
import { TenureError } from '../../base/errors.ts'
import type { Actor, TenantContext } from '../../tenancy/tenant-context.ts'
import type { Caller } from '../call.ts'
import type { CallState } from '../call-state.ts'
import type { MethodPolicy } from '../method-policy.ts'
import type { Demand, Gate } from '../ports.ts'
import { workspaceMismatch } from './resolve-tenant.ts'
import type { Step, StepFactory } from './step.ts'

/** Asks the gate about the caller, and keeps the context it answers: what was authorized is what is acted on. */
export const authorizeStep: StepFactory = (parts, { policy }) => {
  const { scopes, tenantFrom, permission } = policy
  const aboutCallerAlone = scopes.has('CALLER') && scopes.size === 1
  if (scopes.has('PUBLIC') || aboutCallerAlone) return undefined
  return tenantFrom.kind === 'none' ? onPlatform(parts.gate, permission) : atPlace(parts.gate, policy)
}

function onPlatform(gate: Gate, permission: string): Step {
  return (state) => {
    admitToPlatform(gate, state, permission)
    state.admitted = true
  }
}

function admitToPlatform(gate: Gate, state: CallState, permission: string): void {
  const caller = callerOf(state)
  gate.admitPlatform(caller, permission)
  state.readmit = () => gate.readmitPlatform(caller, permission)
}

function atPlace(gate: Gate, policy: MethodPolicy): Step {
  const { permission, scopes } = policy
  const demand: Demand = {
    permission,
    workspaceItself: false,
    // What gives secrets away is use, and what is archived is kept from use.
    write: policy.limitClass === 'WRITE' || policy.auditBeforeAnswer,
    unknownPlaceIsAnAnswer: policy.limitClass === 'CHECK',
  }
  // Only a method that manages workspaces may be granted at the tenant for a name that is the workspace's own.
  const ofWorkspaceItself = { ...demand, workspaceItself: permission.startsWith('workspaces.') }
  const platformOnly = !scopes.has('TENANT') && !scopes.has('WORKSPACE')
  const openWithoutName = scopes.has('CALLER')
  return (state) => {
    const caller = callerOf(state)
    const { place } = state
    if (place === undefined) throw new Error('authorize comes after resolveTenant')
    if (place.tenant === '') {
      // Where every caller may ask, the method decides by itself what it answers.
      if (!openWithoutName) admitToPlatform(gate, state, permission)
      state.admitted = true
      return undefined
    }
    // First, so that a tenant credential is told the same whatever name it sends. Such a method may write in the directory.
    if (platformOnly) admitToPlatform(gate, state, permission)
    const context = gate.admit(caller, place, state.namesWorkspace ? ofWorkspaceItself : demand, actorOf(state, caller))
    if (demand.write && isCanary(place.tenant)) return keptFrom(state, caller, context)
    if (context instanceof Promise) return context.then((found) => admitted(state, found))
    admitted(state, context)
    return undefined
  }
}

/** Changed by anybody else, a canary could not tell any more whether one tenant reaches another; purged, its name would be gone for good. */
async function keptFrom(state: CallState, caller: Caller, context: ReturnType<Gate['admit']>): Promise<void> {
  const found = await context
  if (caller.tenantSlug === '' && !keepsCanaries(caller.principal)) {
    throw new TenureError(
      'SYSTEM_RESOURCE',
      "This tenant is the server's own, for its look at isolation. Nothing in it can be changed.",
    )
  }
  admitted(state, found)
}

function admitted(state: CallState, context: TenantContext | undefined): void {
  state.context = context
  state.admitted = true
  if (state.workspaceUidToMatch !== '' && state.workspaceUidToMatch !== context?.workspaceId) throw workspaceMismatch()
}

export function actorOf(state: CallState, caller: Caller): Actor {
  return {
    principal: caller.principal,
    credential: caller.credential,
    requestId: state.requestId,
    clientIp: state.clientIp,
  }
}

function callerOf(state: CallState): Caller {
  if (state.caller === undefined) throw new Error('authorize comes after authenticate')
  return state.caller
}
