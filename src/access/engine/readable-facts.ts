import type { ApiKeyFact, MembershipFact, PrincipalFact, RoleFact, WorkspaceFact } from './facts.ts'

/**
 * Rows come from a database that others can write to. A row that is not what its type says is never interpreted: a
 * NaN as expiry would compare as "never", a string as list of roles would grant by its characters.
 */
type Loose<Fact> = { readonly [Field in keyof Fact]?: unknown }

export function isReadableWorkspace(fact: Loose<WorkspaceFact>): boolean {
  return (
    isFilled(fact.workspaceId) &&
    isFilled(fact.slug) &&
    (fact.state === 'ACTIVE' || fact.state === 'ARCHIVED' || fact.state === 'DELETED')
  )
}

export function isReadablePrincipal(fact: Loose<PrincipalFact>): boolean {
  return (
    isFilled(fact.principalId) &&
    (fact.kind === 'user' || fact.kind === 'service_account') &&
    isFilled(fact.slug) &&
    typeof fact.issuer === 'string' &&
    typeof fact.subject === 'string' &&
    typeof fact.active === 'boolean'
  )
}

export function isReadableRole(fact: Loose<RoleFact>): boolean {
  return isFilled(fact.roleId) && isTextList(fact.permissions)
}

export function isReadableMembership(fact: Loose<MembershipFact>): boolean {
  return (
    isFilled(fact.membershipId) &&
    isFilled(fact.workspaceId) &&
    isFilled(fact.principalId) &&
    isTextList(fact.roles) &&
    typeof fact.reachAll === 'boolean' &&
    isTimeOrNever(fact.expireTimeMs)
  )
}

export function isReadableApiKey(fact: Loose<ApiKeyFact>): boolean {
  return (
    isFilled(fact.apiKeyId) &&
    isFilled(fact.workspaceId) &&
    isFilled(fact.ownerId) &&
    fact.secretHash instanceof Uint8Array &&
    isTextList(fact.permissions) &&
    isTimeOrNever(fact.expireTimeMs) &&
    typeof fact.revoked === 'boolean'
  )
}

function isFilled(value: unknown): boolean {
  return typeof value === 'string' && value !== ''
}

function isTextList(value: unknown): boolean {
  return Array.isArray(value) && value.every((item) => typeof item === 'string')
}

function isTimeOrNever(value: unknown): boolean {
  return value === undefined || Number.isFinite(value)
}
