import { AccessError } from './access-error.ts'
import { headerValues, type RequestLike } from './request-headers.ts'
import type { TenantContext } from './tenant-context.ts'
import { contextOf } from './verified-token.ts'
import type { Verifier } from './verifier.ts'

/** The header, or metadata, that carries the context of a call between services. */
export const tenureContextHeader = 'tenure-context'
/** How long such a token lives at most. */
export const callTokenSeconds = 60

/**
 * The context another service has sent along: of one workspace, for this service alone, at most a minute old. Everything
 * else in the header is refused, plain baggage above all: what anybody can write proves nothing. Rejects with an AccessError.
 */
export async function contextFromTenureContext(
  header: string | RequestLike,
  { verifier }: { readonly verifier: Verifier },
): Promise<TenantContext> {
  const values = typeof header === 'string' ? [header] : headerValues(header, tenureContextHeader)
  if (values.length > 1) throw new AccessError('CONTEXT_REPEATED')
  const [token = ''] = values
  if (token === '') throw new AccessError('CONTEXT_MISSING')
  const verified = verifier.verifyCached(token) ?? (await verifier.verify(token))
  const { claims } = verified
  const [workspace] = claims.workspaces
  // A token of hours, for many, or for all of a tenant is a user's own: whoever got hold of one could put it here.
  const isForThisCall = claims.exp - claims.iat <= callTokenSeconds && claims.aud.length === 1
  if (!isForThisCall || workspace === undefined || claims.workspaces.length > 1 || claims.permissions.length > 0) {
    throw new AccessError('CONTEXT_UNFIT')
  }
  if (claims.online_required) throw new AccessError('ONLINE_REQUIRED')
  return contextOf(verified, workspace.id)
}
