import type { DescField, Message } from '@bufbuild/protobuf'
import { invalidField, TenureError } from '../../base/errors.ts'
import { isUuid, platformTenantId } from '../../base/ids.ts'
import { type Place, parseName, platformPlace, type ResourceName } from '../../base/resource-name.ts'
import type { CallState } from '../call-state.ts'
import type { MethodPolicy } from '../method-policy.ts'
import type { Step, StepFactory } from './step.ts'

/** Finds where a call acts, the same way in every method: from the one field the policy names, or from the credential. */
export const resolveTenantStep: StepFactory = (_parts, { policy }) => {
  const { tenantFrom } = policy
  if (tenantFrom.kind === 'none') return undefined
  if (tenantFrom.kind === 'credential') return placeOfCredential
  return placeOfField(policy, tenantFrom.path, tenantFrom.fields)
}

const placeOfCredential: Step = (state) => {
  const { caller } = state
  if (caller === undefined) throw new Error('resolveTenant comes after authenticate')
  if (caller.tenantId === platformTenantId) {
    state.place = platformPlace
    return
  }
  state.place = { tenant: caller.tenantSlug, workspace: caller.workspaceSlug }
  const header = state.incoming.workspaceHeader
  if (caller.workspaceSlug === '' || header === undefined) return
  // Nothing is admitted after this that could compare a uid: the credential knows its own.
  if (header !== caller.workspaceSlug && header !== caller.workspaceId) throw workspaceMismatch()
}

function placeOfField(policy: MethodPolicy, path: string, fields: readonly DescField[]): Step {
  const localNames = fields.map((field) => field.localName)
  // The name of a resource inside the request says which one is meant; an empty parent may mean the platform, an empty name means nothing.
  const mustBeSet = fields.length > 1
  return (state) => {
    const text = readString(state.request, localNames)
    if (mustBeSet && text === '') throw invalidField(path, 'must be set')
    const name = parseName(text)
    if (name === undefined) throw invalidField(path, 'must be a resource name')
    state.target = text
    state.place = placeToAdmit(policy, path, name)
    state.namesWorkspace = name.collection === 'workspaces'
    // A call that every caller may make without a name is about no place that a header could disagree with.
    if (name.tenant !== '' || !policy.scopes.has('CALLER')) matchWorkspaceHeader(state, name.workspace)
  }
}

/** The place a name is admitted at, or a refusal when the method does not act at such places. */
function placeToAdmit(policy: MethodPolicy, path: string, name: ResourceName): Place {
  const { scopes } = policy
  if (name.tenant === '') {
    if (scopes.has('PLATFORM') || scopes.has('CALLER')) return platformPlace
    throw invalidField(path, 'must name a tenant')
  }
  const platformOnly = !scopes.has('TENANT') && !scopes.has('WORKSPACE')
  if (name.workspace === '') {
    if (scopes.has('TENANT') || platformOnly) return name
    throw invalidField(path, 'must name a workspace')
  }
  if (scopes.has('WORKSPACE')) return name
  throw invalidField(path, 'must not name a workspace')
}

/**
 * `x-workspace-id` that disagrees with the name is refused without a look-up, so that neither a confused client acts in
 * the wrong workspace nor a prober learns what exists. A uid is compared once the place is admitted.
 */
function matchWorkspaceHeader(state: CallState, workspaceSlug: string): void {
  const header = state.incoming.workspaceHeader
  if (header === undefined || header === workspaceSlug) return
  if (workspaceSlug === '' || !isUuid(header)) throw workspaceMismatch()
  state.workspaceUidToMatch = header
}

export function workspaceMismatch(): TenureError {
  const message = 'The header x-workspace-id names another workspace than the request. Send one of them, or the same.'
  return new TenureError('WORKSPACE_MISMATCH', message)
}

function readString(message: Message | undefined, localNames: readonly string[]): string {
  let value: unknown = message
  for (const localName of localNames) {
    if (value === undefined) return ''
    value = (value as Readonly<Record<string, unknown>>)[localName]
  }
  return typeof value === 'string' ? value : ''
}
