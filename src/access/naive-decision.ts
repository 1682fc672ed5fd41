import { tenantLevel } from '../base/ids.ts'
import type { PermissionCatalogue } from './engine/catalogue.ts'
import type { DecisionReason } from './engine/decision.ts'
import type { MembershipFact, TenantFacts } from './engine/facts.ts'
import { templatePermissions } from './engine/role-templates.ts'

export interface NaiveQuestion {
  readonly principalId: string
  /** Slug; empty: the tenant. */
  readonly workspace: string
  readonly permission: string
}

/**
 * The rules of access once more, by walking over plain rows: no index, no bitset, nothing kept. Slow on purpose: what it
 * shares with the engine is the rows and the templates, and nothing that decides.
 */
export function naiveDecision(
  facts: TenantFacts,
  catalogue: PermissionCatalogue,
  { principalId, workspace: slug, permission }: NaiveQuestion,
  nowMs: number,
): DecisionReason {
  const principal = facts.principals.find((each) => each.principalId === principalId)
  if (principal?.active !== true) return 'NO_ACCESS'
  const workspace = facts.workspaces.find((each) => each.slug === slug)
  if (slug !== '' && (workspace === undefined || workspace.state === 'DELETED')) return 'NO_ACCESS'
  const { state, suspensionMode } = facts.tenant
  if (state !== 'ACTIVE' && state !== 'SUSPENDED') return 'NO_ACCESS'
  const at = slug === '' ? tenantLevel : workspace?.workspaceId
  const applies = (each: MembershipFact): boolean =>
    each.principalId === principalId &&
    (each.expireTimeMs === undefined || each.expireTimeMs > nowMs) &&
    (each.workspaceId === at || (slug !== '' && each.workspaceId === tenantLevel && each.reachAll))
  const memberships = facts.memberships.filter(applies)
  if (memberships.length === 0) return 'NO_ACCESS'
  const known = [...catalogue.entries()].find(({ name }) => name === permission)
  if (state === 'SUSPENDED' && (suspensionMode !== 'READ_ONLY' || known?.effect === 'WRITE')) {
    return suspensionMode === 'READ_ONLY' ? 'TENANT_READ_ONLY' : 'TENANT_SUSPENDED'
  }
  if (workspace?.state === 'ARCHIVED') return 'WORKSPACE_ARCHIVED'
  if (known === undefined) return 'PERMISSION_UNKNOWN'
  const granted = memberships
    .flatMap(({ roles }) => roles)
    .some((role) => {
      const own = facts.roles.find(({ roleId }) => roleId === role)?.permissions ?? []
      return [...own, ...templatePermissions(catalogue, role)].includes(permission)
    })
  return granted && !known.platformOnly ? 'GRANTED' : 'PERMISSION_MISSING'
}
