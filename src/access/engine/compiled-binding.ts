import { tenantLevel, type WorkspaceId } from '../../base/ids.ts'
import { Bitset } from './bitset.ts'
import type { MembershipFact, PrincipalFact, TenantFact, WorkspaceFact } from './facts.ts'
import type { RoleIndex } from './role-index.ts'

/** Everything a principal has at one place, as of the facts it was compiled from. */
export interface CompiledBinding {
  readonly tenant: TenantFact
  /** Undefined at tenant level. */
  readonly workspace: WorkspaceFact | undefined
  readonly principal: PrincipalFact
  readonly bits: Bitset
  /** From this moment on a contributing membership is expired, and the binding has to be compiled again. */
  readonly validUntilMs: number
  /** The encoded GRANTED answer with the basic context, and the revision token in it. */
  granted: { readonly revision: string; readonly bytes: Buffer } | undefined
}

export interface BindingSources {
  readonly tenant: TenantFact
  readonly workspace: WorkspaceFact | undefined
  readonly principal: PrincipalFact
  readonly memberships: readonly MembershipFact[]
  readonly roles: RoleIndex
}

/** Whether that membership counts at that place, at that moment: of the place itself, or of the tenant with reach over all. */
export function contributes(
  { workspaceId, reachAll, expireTimeMs = Number.POSITIVE_INFINITY }: MembershipFact,
  place: WorkspaceId,
  nowMs: number,
): boolean {
  return (workspaceId === place || (workspaceId === tenantLevel && reachAll)) && expireTimeMs > nowMs
}

/** Undefined: no binding at all there. A membership without one valid role still is a binding, of no power. */
export function compileBinding(sources: BindingSources, nowMs: number): CompiledBinding | undefined {
  const { tenant, workspace, principal, roles } = sources
  const place = workspace?.workspaceId ?? tenantLevel
  let bound = false
  let bits = Bitset.empty
  let validUntilMs = Number.POSITIVE_INFINITY
  for (const membership of sources.memberships) {
    if (!contributes(membership, place, nowMs)) continue
    bound = true
    validUntilMs = Math.min(validUntilMs, membership.expireTimeMs ?? Number.POSITIVE_INFINITY)
    for (const reference of membership.roles) {
      const granted = roles.bitsOf(reference)
      // The first set is taken as it is: most bindings have one role, and share its bits.
      if (granted !== undefined) bits = bits === Bitset.empty ? granted : bits.union(granted)
    }
  }
  return bound ? { tenant, workspace, principal, bits, validUntilMs, granted: undefined } : undefined
}
