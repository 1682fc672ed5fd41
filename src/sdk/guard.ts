import type { IncomingMessage, ServerResponse } from 'node:http'
import { AccessError } from './access-error.ts'
import { authenticate, authenticateTenant, type TokenOptions, type WorkspaceOptions } from './authenticate.ts'
import type { TenantContext, TenantLevelContext } from './tenant-context.ts'

/**
 * A handler of Express and Connect, and of node:http with the rest of the work in `next`. Refusals are answered; `next` is
 * called once, without an argument when the request has its context, and with an error that is no refusal.
 */
export type Guard<Request extends IncomingMessage = IncomingMessage> = (
  request: Request,
  response: ServerResponse,
  next: (error?: unknown) => void,
) => Promise<void>

/** Kept beside the request, not in it: nothing a client sends can look like it. */
const contexts = new WeakMap<IncomingMessage, TenantContext>()
const tenantLevelContexts = new WeakMap<IncomingMessage, TenantLevelContext>()

/** Lets requests pass that are for one workspace of their token; `contextFrom` answers which. */
export function workspaceGuard<Request extends IncomingMessage = IncomingMessage>(
  options: WorkspaceOptions<Request>,
): Guard<Request> {
  return guardWith(async (request) => {
    contexts.set(request, await authenticate(request, options))
  })
}

/** Lets every request with a good token pass; `tenantContextFrom` answers for which tenant. */
export function tenantGuard(options: TokenOptions): Guard {
  return guardWith(async (request) => {
    tenantLevelContexts.set(request, await authenticateTenant(request, options))
  })
}

/** Where the request acts. Throws when no `workspaceGuard` has let it pass. */
export function contextFrom(request: IncomingMessage): TenantContext {
  const context = contexts.get(request)
  if (context === undefined) throw new TypeError('no workspaceGuard has let this request pass')
  return context
}

/** For which tenant the request is. Throws when no `tenantGuard` has let it pass. */
export function tenantContextFrom(request: IncomingMessage): TenantLevelContext {
  const context = tenantLevelContexts.get(request)
  if (context === undefined) throw new TypeError('no tenantGuard has let this request pass')
  return context
}

/** Answers a refusal as the guards do: its status, its reason, and what to do next. */
export function answerRefusal(response: ServerResponse, error: AccessError): void {
  const body = JSON.stringify({ error: { reason: error.reason, message: error.message } })
  response.writeHead(error.httpStatus, {
    ...challengeOf(error),
    'content-type': 'application/json; charset=utf-8',
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
  })
  response.end(body)
}

function guardWith<Request extends IncomingMessage>(admit: (request: Request) => Promise<void>): Guard<Request> {
  return async (request, response, next) => {
    try {
      await admit(request)
    } catch (error) {
      if (error instanceof AccessError) answerRefusal(response, error)
      else next(error)
      return
    }
    next()
  }
}

/** RFC 6750: a request without a token learns how to send one, one with a bad token that it is bad. */
function challengeOf({ reason, httpStatus }: AccessError): Record<string, string> {
  if (httpStatus === 503) return { 'retry-after': '1' }
  if (httpStatus !== 401) return {}
  return { 'www-authenticate': reason === 'TOKEN_MISSING' ? 'Bearer' : 'Bearer error="invalid_token"' }
}
