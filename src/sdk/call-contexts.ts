import { LRUCache } from 'lru-cache'
import { type Clock, systemClock } from '../base/clock.ts'
import { lengthPrefixed } from '../base/length-prefixed.ts'
import { TokenError } from '../jwt/token-error.ts'
import { AccessError } from './access-error.ts'
import { callTokenSeconds, tenureContextHeader } from './call-token.ts'
import { type ControlPlane, ControlPlaneError } from './control-plane.ts'
import type { Fetch } from './fetch-jwks.ts'
import type { TenantContext } from './tenant-context.ts'

export interface CallContextsOptions {
  readonly controlPlane: ControlPlane
  /** What the other service is called. The token is good for it and for nobody else. */
  readonly audience: string
  /** Where the other service answers: `fetch` sends the context to no other origin. */
  readonly origin?: string | URL
  /** All that the other service needs of what the request may do; left out: everything it may do in its workspace. */
  readonly permissions?: readonly string[]
  /** How many tokens are kept at a time; default 10,000, about 1 KB each. */
  readonly cacheSize?: number
  readonly clock?: Clock
  readonly fetch?: Fetch
}

/** Requests of Connect, as far as an interceptor touches them. */
interface ConnectRequestLike {
  readonly header: { set(name: string, value: string): void }
}

/** Metadata of grpc-js. */
interface MetadataLike {
  set(name: string, value: string): void
}

/** Carries the context of a request to one other service: who asks, where, and what of it they may do. */
export interface CallContexts {
  /** The value of `tenure-context`. Rejects with an AccessError. */
  tokenFor(context: TenantContext): Promise<string>
  /** A `fetch` whose requests carry the context, to the `origin` alone. */
  fetchFor(context: TenantContext): Fetch
  /** An interceptor of Connect, of any transport. */
  interceptorFor(
    context: TenantContext,
  ): <Request extends ConnectRequestLike, Response>(
    next: (request: Request) => Promise<Response>,
  ) => (request: Request) => Promise<Response>
  /** Writes the context into metadata of grpc-js and answers them. */
  addTo<Metadata extends MetadataLike>(metadata: Metadata, context: TenantContext): Promise<Metadata>
}

interface KeptToken {
  readonly token: string
  readonly expireTimeMs: number
}

/** A token with less than this left is not begun with: the call has to arrive, and clocks differ. */
const minimumLeftMs = 15_000
const maxPermissions = 256

export function createCallContexts(options: CallContextsOptions): CallContexts {
  const { audience, origin, fetch = globalThis.fetch } = options
  if (typeof audience !== 'string' || !/^[\x21-\x7e]{1,255}$/.test(audience)) {
    throw new TypeError('createCallContexts: audience is missing')
  }
  const allowed = origin === undefined ? undefined : new URL(origin).origin
  const tokenFor = createTokens(options)
  return {
    tokenFor,
    fetchFor: (context) => async (url, init) => {
      if (allowed === undefined) throw new TypeError('createCallContexts: fetch needs the origin of the other service')
      if (new URL(url).origin !== allowed) throw new TypeError('a context is sent to the origin it is for alone')
      const headers = new Headers(init?.headers)
      // Set, not added: what a client sent under this name ends here.
      headers.set(tenureContextHeader, await tokenFor(context))
      // A redirect would carry the header to another origin.
      return fetch(url, { ...init, headers, redirect: 'error' })
    },
    interceptorFor: (context) => (next) => async (request) => {
      request.header.set(tenureContextHeader, await tokenFor(context))
      return next(request)
    },
    async addTo(metadata, context) {
      metadata.set(tenureContextHeader, await tokenFor(context))
      return metadata
    },
  }
}

function createTokens(options: CallContextsOptions): (context: TenantContext) => Promise<string> {
  const { controlPlane, audience, cacheSize = 10_000, clock = systemClock } = options
  const kept = new LRUCache<string, KeptToken>({ max: cacheSize })
  const underWay = new Map<string, Promise<KeptToken>>()
  return async (context) => {
    const nowMs = clock.nowMs()
    const leftMs = context.expireTimeMs - nowMs
    // The request's own token has ended: what it started may not go on in its name.
    if (leftMs < 1_000) throw new AccessError(new TokenError('EXPIRED'))
    const permissions = permissionsOf(context, options.permissions)
    const key = keyOf(context, permissions)
    const known = kept.get(key)
    // Near its own end, the request gets what there is.
    if (known !== undefined && known.expireTimeMs - nowMs >= Math.min(minimumLeftMs, leftMs - 1_000)) return known.token
    const asking = underWay.get(key) ?? issue(controlPlane, { context, audience, permissions, leftMs })
    underWay.set(key, asking)
    try {
      const issued = await asking
      kept.set(key, issued)
      return issued.token
    } finally {
      if (underWay.get(key) === asking) underWay.delete(key)
    }
  }
}

/** Everything the answer hangs on, each part with its length: two requests share a token only if they are the same. */
function keyOf(context: TenantContext, permissions: readonly string[]): string {
  const { tenantUid, workspaceUid, principal, actor = '', tokenId } = context
  return lengthPrefixed([tenantUid, workspaceUid, principal, actor, tokenId, ...permissions]).toString('latin1')
}

/** Never empty: to the control plane an empty list means that nothing is left out. */
function permissionsOf(context: TenantContext, wanted: readonly string[] | undefined): readonly string[] {
  if (context.workspaceUid === undefined) throw new TypeError('a call has the context of one workspace')
  const permissions = (wanted ?? context.permissions).filter((permission) => context.has(permission))
  if (permissions.length === 0) throw new AccessError('PERMISSION_MISSING')
  if (permissions.length > maxPermissions) {
    throw new TypeError(`createCallContexts: name the permissions the other service needs, at most ${maxPermissions}`)
  }
  return [...permissions].sort()
}

interface Wanted {
  readonly context: TenantContext
  readonly audience: string
  readonly permissions: readonly string[]
  readonly leftMs: number
}

async function issue(controlPlane: ControlPlane, { context, ...wanted }: Wanted): Promise<KeptToken> {
  // Nor does it outlive the request's own token.
  const seconds = Math.min(callTokenSeconds, Math.floor(wanted.leftMs / 1_000))
  const kind = context.principal.includes('/users/') ? 'user' : 'serviceAccount'
  try {
    const { token, expireTime } = await controlPlane.call('TokenService/IssueToken', {
      parent: `tenants/${context.tenantSlug}/workspaces/${context.workspaceSlug}`,
      principal: { [kind]: context.principal },
      ttl: `${seconds}s`,
      audience: [wanted.audience],
      permissions: wanted.permissions,
    })
    const expireTimeMs = Date.parse(String(expireTime))
    if (typeof token !== 'string' || !Number.isFinite(expireTimeMs)) throw new ControlPlaneError('unknown')
    return { token, expireTimeMs }
  } catch (error) {
    if (!(error instanceof ControlPlaneError)) throw error
    throw new AccessError(error.passes ? 'CONTEXT_UNAVAILABLE' : 'CONTEXT_REFUSED', error)
  }
}
