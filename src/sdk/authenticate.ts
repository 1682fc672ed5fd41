import { AccessError } from './access-error.ts'
import { headerValues, type RequestLike } from './request-headers.ts'
import type { TenantContext, TenantLevelContext } from './tenant-context.ts'
import { contextOf, tenantLevelContextOf, type VerifiedToken } from './verified-token.ts'
import type { Verifier } from './verifier.ts'

export interface TokenOptions {
  readonly verifier: Verifier
  /**
   * This service asks Authorize about every request itself. Without it, a token that cannot be decided offline is refused
   * with ONLINE_REQUIRED.
   */
  readonly asksAuthorize?: boolean
}

export interface WorkspaceOptions<Request extends RequestLike> extends TokenOptions {
  /** The workspace the address names, by slug or uid, where it names one; it has to be the one of `x-workspace-id`. */
  readonly named?: (request: Request) => string | undefined
}

/** The context of a request: its token verified, its `x-workspace-id` found inside the token. Rejects with an AccessError. */
export async function authenticate<Request extends RequestLike>(
  request: Request,
  options: WorkspaceOptions<Request>,
): Promise<TenantContext> {
  const token = bearerToken(request)
  // No waiting for a token seen before: the whole request stays in one turn.
  const verified = options.verifier.verifyCached(token) ?? (await options.verifier.verify(token))
  requireOffline(verified, options)
  const context = contextOf(verified, workspaceHeader(request))
  const named = options.named?.(request)
  if (named !== undefined && named !== context.workspaceUid && named !== context.workspaceSlug) {
    throw new AccessError('WORKSPACE_MISMATCH')
  }
  return context
}

/** The same for a service that knows no workspaces: the context is the tenant's own. */
export async function authenticateTenant(request: RequestLike, options: TokenOptions): Promise<TenantLevelContext> {
  const token = bearerToken(request)
  const verified = options.verifier.verifyCached(token) ?? (await options.verifier.verify(token))
  requireOffline(verified, options)
  return tenantLevelContextOf(verified)
}

/** Throws PERMISSION_MISSING. */
export function requirePermission(context: TenantContext | TenantLevelContext, permission: string): void {
  if (!context.has(permission)) throw new AccessError('PERMISSION_MISSING')
}

function requireOffline(verified: VerifiedToken, { asksAuthorize = false }: TokenOptions): void {
  if (verified.claims.online_required && !asksAuthorize) throw new AccessError('ONLINE_REQUIRED')
}

function bearerToken(request: RequestLike): string {
  const values = headerValues(request, 'authorization')
  // Two of them: a proxy may have looked at the other one.
  if (values.length > 1) throw new AccessError('TOKEN_REPEATED')
  const token = /^bearer +(\S.*)$/is.exec(values[0] ?? '')?.[1]
  if (token === undefined) throw new AccessError('TOKEN_MISSING')
  return token
}

function workspaceHeader(request: RequestLike): string {
  const values = headerValues(request, 'x-workspace-id')
  const [workspace = ''] = values
  // Proxies join repeated headers with a comma, which stands in no slug and no uid.
  if (values.length > 1 || workspace.includes(',')) throw new AccessError('WORKSPACE_REPEATED')
  if (workspace === '') throw new AccessError('WORKSPACE_MISSING')
  return workspace
}
