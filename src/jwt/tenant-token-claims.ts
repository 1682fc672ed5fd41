import { isUuid, nilUuid } from '../base/ids.ts'

/** One workspace the token is good for, with what may be done there and nowhere else. */
export interface WorkspaceGrant {
  /** The workspace's uid. */
  readonly id: string
  readonly slug: string
  readonly epoch: number
  readonly permissions: readonly string[]
}

/** What a tenant token says: RFC 9068 beside the claims of Tenure. Times are whole seconds since the Unix epoch. */
export interface TenantTokenClaims {
  readonly iss: string
  /** The principal, by resource name: `tenants/acme/users/alice`. */
  readonly sub: string
  /** Always an array on the wire, never empty. */
  readonly aud: readonly string[]
  readonly exp: number
  readonly iat: number
  readonly nbf: number
  readonly jti: string
  readonly client_id: string
  /** The tenant's uid. */
  readonly tid: string
  /** The tenant's slug. */
  readonly tenant: string
  readonly tep: number
  /** The tenant's revision when the token was issued. */
  readonly rev: number
  readonly workspaces: readonly WorkspaceGrant[]
  /** Of the tenant itself; no workspace inherits them. */
  readonly permissions: readonly string[]
  readonly tier: string
  readonly region: string
  readonly entitlements: Readonly<Record<string, string | number | boolean>>
  readonly roles: readonly string[]
  readonly pep: number
  /** Who acts in the name of `sub`. */
  readonly act?: { readonly sub: string }
  /** Not everything can be decided from the token: Authorize has to be asked. */
  readonly online_required: boolean
}

const slug = '[a-z][a-z0-9-]{1,61}[a-z0-9]'
const slugPattern = new RegExp(`^${slug}$`)
const principalPattern = new RegExp(`^(?:tenants/(${slug})/(?:users|serviceAccounts)|serviceAccounts)/${slug}$`)
const permissionPattern = /^(?:custom\.)?[a-z][a-zA-Z0-9]{0,62}\.[a-z][a-zA-Z0-9]{0,62}$/
/** Roles by resource name or uid. */
const rolePattern = /^[a-zA-Z0-9][a-zA-Z0-9/.-]{0,199}$/
const tierPattern = /^[a-z][a-z0-9-]{0,62}$/
/** As cells are configured. */
const regionPattern = /^[a-z0-9-]{0,63}$/
/** What stands in a URL or a name: no spaces, no control characters, nothing outside ASCII. */
const printable = /^[\x21-\x7e]{1,512}$/
const entitlementKey = /^[a-z][a-zA-Z0-9._-]{0,127}$/
/** The end of the year 9999: later seconds are no time that `Date` or a database could show. */
const lastSecond = 253_402_300_799
/** Entries of one list. */
export const maxClaimEntries = 1_000

/**
 * Undefined for whatever is not, claim by claim, what Tenure issues; claims unknown here are ignored. The answer is a
 * copy in one fixed order, frozen to its last array: it is shared between all requests that carry the same token.
 */
export function parseTenantTokenClaims(payload: unknown): TenantTokenClaims | undefined {
  if (!isRecord(payload)) return undefined
  const { iss, sub, exp, iat, nbf, jti, client_id, tid, tenant, tep, rev, tier, region, pep, online_required } = payload
  const aud = texts(payload.aud, printable)
  const workspaces = parseWorkspaces(payload.workspaces)
  const permissions = texts(payload.permissions, permissionPattern)
  const entitlements = parseEntitlements(payload.entitlements)
  const roles = texts(payload.roles, rolePattern)
  const act = parseActor(payload.act, tenant)
  if (!isText(iss, printable) || !isText(client_id, printable) || aud === undefined || aud.length === 0)
    return undefined
  if (!isText(jti) || !isUuid(jti) || !isText(tid) || !isUuid(tid) || tid === nilUuid) return undefined
  if (!isText(tenant, slugPattern) || !isPrincipal(sub, tenant)) return undefined
  if (!isTime(exp) || !isTime(iat) || !isTime(nbf) || exp <= nbf || exp <= iat) return undefined
  if (!isCount(tep) || !isCount(rev) || !isCount(pep) || typeof online_required !== 'boolean') return undefined
  if (!isText(tier, tierPattern) || !isText(region, regionPattern)) return undefined
  if (workspaces === undefined || permissions === undefined || entitlements === undefined || roles === undefined) {
    return undefined
  }
  if (act === undefined) return undefined
  const before = { iss, sub, aud, exp, iat, nbf, jti, client_id, tid, tenant, tep, rev, workspaces, permissions }
  return Object.freeze({ ...before, tier, region, entitlements, roles, pep, ...act, online_required })
}

function parseWorkspaces(value: unknown): readonly WorkspaceGrant[] | undefined {
  if (!Array.isArray(value) || value.length > maxClaimEntries) return undefined
  const grants: WorkspaceGrant[] = []
  const names = new Set<string>()
  for (const entry of value) {
    if (!isRecord(entry)) return undefined
    const { id, epoch } = entry
    const permissions = texts(entry.permissions, permissionPattern)
    if (!isText(id) || !isUuid(id) || id === nilUuid || !isText(entry.slug, slugPattern)) return undefined
    if (!isCount(epoch) || permissions === undefined) return undefined
    // A workspace is asked for by uid or slug: one text must never name two of them.
    if (names.has(id) || names.has(entry.slug)) return undefined
    names.add(id).add(entry.slug)
    grants.push(Object.freeze({ id, slug: entry.slug, epoch, permissions }))
  }
  return Object.freeze(grants)
}

/** Without a prototype: asking for an entitlement named `constructor` finds nothing rather than a function. */
function parseEntitlements(value: unknown): TenantTokenClaims['entitlements'] | undefined {
  if (!isRecord(value)) return undefined
  const entries = Object.entries(value)
  if (entries.length > maxClaimEntries) return undefined
  const entitlements: Record<string, string | number | boolean> = Object.create(null)
  for (const [key, entry] of entries) {
    if (!entitlementKey.test(key)) return undefined
    if (typeof entry !== 'string' && typeof entry !== 'boolean' && !Number.isFinite(entry)) return undefined
    entitlements[key] = entry as string | number | boolean
  }
  return Object.freeze(entitlements)
}

function parseActor(value: unknown, tenant: unknown): { readonly act?: { readonly sub: string } } | undefined {
  if (value === undefined) return {}
  if (!isRecord(value) || !isPrincipal(value.sub, tenant)) return undefined
  return { act: Object.freeze({ sub: value.sub }) }
}

/** A principal of this tenant or of the platform: somebody of another tenant never acts here. */
function isPrincipal(value: unknown, tenant: unknown): value is string {
  if (typeof value !== 'string' || value.length > 256) return false
  const match = principalPattern.exec(value)
  return match !== null && (match[1] === undefined || match[1] === tenant)
}

function texts(value: unknown, pattern: RegExp): readonly string[] | undefined {
  if (!Array.isArray(value) || value.length > maxClaimEntries) return undefined
  const copy: string[] = []
  for (const entry of value) {
    if (!isText(entry, pattern)) return undefined
    copy.push(entry)
  }
  return Object.freeze(copy)
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isText(value: unknown, pattern?: RegExp): value is string {
  return typeof value === 'string' && (pattern === undefined || pattern.test(value))
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

function isTime(value: unknown): value is number {
  return isCount(value) && value <= lastSecond
}
