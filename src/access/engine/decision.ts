import { TenureError } from '../../base/errors.ts'
import { type PrincipalId, tenantLevel } from '../../base/ids.ts'
import type { DecisionReason as DecisionReasonEnum } from '../../gen/tenure/v1/access_service_pb.ts'
import type { Bitset } from './bitset.ts'
import type { PermissionCatalogue } from './catalogue.ts'
import type { CompiledBinding } from './compiled-binding.ts'
import type { ApiKeyFact, PrincipalFact, PrincipalKind, WorkspaceFact } from './facts.ts'
import type { TenantSnapshot } from './tenant-snapshot.ts'

export type DecisionReason = Exclude<keyof typeof DecisionReasonEnum, 'UNSPECIFIED'>

export type Subject =
  | { readonly kind: PrincipalKind; readonly slug: string }
  | { readonly kind: 'identity'; readonly issuer: string; readonly subject: string }
  | { readonly kind: 'principal'; readonly principalId: PrincipalId }
  /** A key whose secret the asker has already compared with its hash. */
  | { readonly kind: 'api_key'; readonly apiKeyId: string }

export interface Question {
  readonly subject: Subject
  /** Slug; empty: the tenant itself. */
  readonly workspace: string
  /** Bare name; empty: only whether the subject has a place there. */
  readonly permission: string
}

export interface Decision {
  readonly allow: boolean
  readonly reason: DecisionReason
  /** Token of the revision decided at; empty where the answer must not tell. */
  readonly revision: string
  /** What the subject has at the place; unset before it is known to have anything there. */
  readonly binding: CompiledBinding | undefined
  /** Of the key used; unset: the owner's power is whole. */
  readonly narrowing: Bitset | undefined
  readonly catalogue: PermissionCatalogue | undefined
}

/** The one answer for whatever is unknown, foreign, gone or not a member's: one object, so that no two can differ. */
export const noAccess: Decision = withoutPlace('NO_ACCESS')
/** For a credential that is none of ours, or not whole: nothing of any place is told. */
export const unauthenticated: Decision = withoutPlace('UNAUTHENTICATED')

/** What the steps of one decision learn. */
interface Inquiry {
  readonly snapshot: TenantSnapshot
  readonly question: Question
  readonly nowMs: number
  principal: PrincipalFact | undefined
  key: ApiKeyFact | undefined
  workspace: WorkspaceFact | undefined
  binding: CompiledBinding | undefined
  narrowing: Bitset | undefined
}

/** The order of evaluation: when several reasons would hold, the first is answered. */
export const decisionSteps = [
  'credential',
  'binding',
  'tenantState',
  'placement',
  'workspaceState',
  'policy',
  'permission',
  'entitlement',
  'limits',
] as const

export type DecisionStep = (typeof decisionSteps)[number]
type Check = (inquiry: Inquiry) => DecisionReason | undefined

const checkOfStep: Partial<Record<DecisionStep, Check>> = {
  credential: checkCredential,
  binding: checkBinding,
  tenantState: checkTenantState,
  workspaceState: checkWorkspaceState,
  permission: checkPermission,
}

const checks: readonly Check[] = decisionSteps.flatMap((step) => checkOfStep[step] ?? [])

/** Decides by what the snapshot holds at this moment; nothing here waits. */
export function decide(snapshot: TenantSnapshot, question: Question, nowMs: number): Decision {
  if (snapshot.retired) {
    throw new TenureError('STALE', 'What is known of this tenant is being read again. Ask again.', { retryAfterMs: 50 })
  }
  const inquiry: Inquiry = {
    snapshot,
    question,
    nowMs,
    principal: undefined,
    key: undefined,
    workspace: undefined,
    binding: undefined,
    narrowing: undefined,
  }
  for (const check of checks) {
    const reason = check(inquiry)
    if (reason === undefined) continue
    if (reason === 'NO_ACCESS') return noAccess
    if (reason === 'UNAUTHENTICATED') return unauthenticated
    return answer(inquiry, false, reason)
  }
  return answer(inquiry, true, 'GRANTED')
}

function answer(inquiry: Inquiry, allow: boolean, reason: DecisionReason): Decision {
  const { snapshot, binding, narrowing } = inquiry
  return { allow, reason, revision: snapshot.revisionToken(), binding, narrowing, catalogue: snapshot.catalogue }
}

function withoutPlace(reason: DecisionReason): Decision {
  const nothing = { binding: undefined, narrowing: undefined, catalogue: undefined }
  return Object.freeze({ allow: false, reason, revision: '', ...nothing })
}

function checkCredential(inquiry: Inquiry): DecisionReason | undefined {
  const { snapshot, question, nowMs } = inquiry
  const { subject } = question
  switch (subject.kind) {
    case 'principal':
      inquiry.principal = snapshot.principalById(subject.principalId)
      return undefined
    case 'identity':
      inquiry.principal = snapshot.principalByIdentity(subject.issuer, subject.subject)
      return undefined
    case 'user':
    case 'service_account':
      inquiry.principal = snapshot.principalBySlug(subject.kind, subject.slug)
      return undefined
    case 'api_key': {
      const key = snapshot.apiKeyById(subject.apiKeyId)
      if (key === undefined) return 'UNAUTHENTICATED'
      if (key.expireTimeMs !== undefined && key.expireTimeMs <= nowMs) return 'CREDENTIAL_EXPIRED'
      if (key.revoked) return 'CREDENTIAL_REVOKED'
      inquiry.key = key
      inquiry.principal = snapshot.principalById(key.ownerId)
      return undefined
    }
  }
}

// From the subject's side: who has nothing at the place is answered before anything of the place can shape the answer.
function checkBinding(inquiry: Inquiry): DecisionReason | undefined {
  const { snapshot, question, nowMs, principal, key } = inquiry
  if (principal === undefined || !principal.active) return 'NO_ACCESS'
  if (question.workspace !== '') {
    inquiry.workspace = snapshot.workspaceBySlug(question.workspace)
    if (inquiry.workspace === undefined || inquiry.workspace.state === 'DELETED') return 'NO_ACCESS'
  }
  if (key !== undefined) {
    // A key of one workspace, carried to another or to the tenant, is a stranger there.
    if (key.workspaceId !== tenantLevel && key.workspaceId !== inquiry.workspace?.workspaceId) return 'NO_ACCESS'
    inquiry.narrowing = snapshot.narrowingOf(key)
  }
  const { state } = snapshot.tenant
  if (state !== 'ACTIVE' && state !== 'SUSPENDED') return 'NO_ACCESS'
  inquiry.binding = snapshot.binding(principal, inquiry.workspace, nowMs)
  return inquiry.binding === undefined ? 'NO_ACCESS' : undefined
}

function checkTenantState({ snapshot, question }: Inquiry): DecisionReason | undefined {
  const { state, suspensionMode } = snapshot.tenant
  if (state === 'ACTIVE') return undefined
  // A mode that nothing here knows suspends everything.
  if (suspensionMode !== 'READ_ONLY') return 'TENANT_SUSPENDED'
  return snapshot.catalogue.find(question.permission)?.effect === 'WRITE' ? 'TENANT_READ_ONLY' : undefined
}

function checkWorkspaceState({ workspace }: Inquiry): DecisionReason | undefined {
  return workspace?.state === 'ARCHIVED' ? 'WORKSPACE_ARCHIVED' : undefined
}

function checkPermission({ snapshot, question, binding, narrowing }: Inquiry): DecisionReason | undefined {
  if (question.permission === '') return undefined
  const index = snapshot.catalogue.indexOf(question.permission)
  if (index === undefined) return 'PERMISSION_UNKNOWN'
  if (binding === undefined || !binding.bits.has(index)) return 'PERMISSION_MISSING'
  return narrowing === undefined || narrowing.has(index) ? undefined : 'PERMISSION_MISSING'
}
