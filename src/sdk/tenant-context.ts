import type { TenantTokenClaims } from '../jwt/tenant-token-claims.ts'

/** Who asks, and what their token says of them wherever they act. Frozen. */
interface CallerContext {
  readonly tenantUid: string
  readonly tenantSlug: string
  /** By resource name: `tenants/acme/users/alice`. */
  readonly principal: string
  /** Who acts in the name of `principal`; undefined when they act themselves. */
  readonly actor: string | undefined
  /** Of this place alone: what is held in one workspace is not held in another, nor in the tenant. */
  readonly permissions: readonly string[]
  readonly has: (permission: string) => boolean
  readonly tier: string
  readonly region: string
  readonly entitlements: Readonly<Record<string, string | number | boolean>>
  readonly tokenId: string
  /** The tenant's revision when the token was issued. */
  readonly tenantRevision: number
  readonly expireTimeMs: number
  /** Not everything can be decided from the token: Authorize has to be asked. */
  readonly onlineRequired: boolean
}

/** Where a request acts: one workspace of one tenant. Build every query from it, never from the request. */
export interface TenantContext extends CallerContext {
  readonly workspaceUid: string
  readonly workspaceSlug: string
}

/** The same for a service that knows no workspaces: the tenant alone. */
export interface TenantLevelContext extends CallerContext {
  readonly workspaceUid: undefined
  readonly workspaceSlug: undefined
}

export function tenantLevelContextFromClaims(claims: TenantTokenClaims): TenantLevelContext {
  return Object.freeze({
    ...callerContext(claims, claims.permissions),
    workspaceUid: undefined,
    workspaceSlug: undefined,
  })
}

export function tenantContextFromClaims(
  claims: TenantTokenClaims,
  workspace: TenantTokenClaims['workspaces'][number],
): TenantContext {
  return Object.freeze({
    ...callerContext(claims, workspace.permissions),
    workspaceUid: workspace.id,
    workspaceSlug: workspace.slug,
  })
}

function callerContext(claims: TenantTokenClaims, permissions: readonly string[]): CallerContext {
  const held = new Set(permissions)
  return {
    tenantUid: claims.tid,
    tenantSlug: claims.tenant,
    principal: claims.sub,
    actor: claims.act?.sub,
    permissions,
    has: (permission) => held.has(permission),
    tier: claims.tier,
    region: claims.region,
    entitlements: claims.entitlements,
    tokenId: claims.jti,
    tenantRevision: claims.rev,
    expireTimeMs: claims.exp * 1_000,
    onlineRequired: claims.online_required,
  }
}
