import type { TenantTokenClaims } from '../jwt/tenant-token-claims.ts'
import { AccessError } from './access-error.ts'
import {
  type TenantContext,
  type TenantLevelContext,
  tenantContextFromClaims,
  tenantLevelContextFromClaims,
} from './tenant-context.ts'

/** A token a verifier has accepted. Nothing else can be turned into a context. */
export interface VerifiedToken {
  readonly claims: TenantTokenClaims
}

interface Contexts {
  readonly ofWorkspace: Map<string, TenantContext>
  tenantLevel: TenantLevelContext | undefined
}

/** Contexts made so far, so that a token seen a thousand times makes one. Only what is in here was verified. */
const contextsOf = new WeakMap<VerifiedToken, Contexts>()

/** For the verifier alone: whatever passes through here counts as verified. */
export function verifiedTokenFromClaims(claims: TenantTokenClaims): VerifiedToken {
  const verified = Object.freeze({ claims })
  contextsOf.set(verified, { ofWorkspace: new Map(), tenantLevel: undefined })
  return verified
}

/**
 * The context of one workspace of the token, named by slug or uid. A workspace the token does not name is
 * WORKSPACE_NOT_IN_TOKEN, whether it exists or not.
 */
export function contextOf(verified: VerifiedToken, workspace: string): TenantContext {
  const { ofWorkspace } = contextsFor(verified)
  const known = ofWorkspace.get(workspace)
  if (known !== undefined) return known
  const { claims } = verified
  const grant = claims.workspaces.find(({ id, slug }) => id === workspace || slug === workspace)
  if (grant === undefined) throw new AccessError('WORKSPACE_NOT_IN_TOKEN')
  const context = tenantContextFromClaims(claims, grant)
  // Under both names, and only under those: what a request sends never becomes a key of its own.
  ofWorkspace.set(grant.id, context).set(grant.slug, context)
  return context
}

/** The context of the token's tenant, for services that know no workspaces; no permission of a workspace is in it. */
export function tenantLevelContextOf(verified: VerifiedToken): TenantLevelContext {
  const contexts = contextsFor(verified)
  contexts.tenantLevel ??= tenantLevelContextFromClaims(verified.claims)
  return contexts.tenantLevel
}

function contextsFor(verified: VerifiedToken): Contexts {
  const contexts = contextsOf.get(verified)
  // Also for a copy: claims somebody put together themselves have been verified by nobody.
  if (contexts === undefined) throw new TypeError('this is not what verify answered')
  return contexts
}
