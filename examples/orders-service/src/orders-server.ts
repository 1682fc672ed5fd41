import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import {
  AccessError,
  answerRefusal,
  bindLogger,
  contextFrom,
  createVerifier,
  type LineLogger,
  workspaceGuard,
} from 'tenure-sdk'
import { guardViolationIn, withTenant } from 'tenure-sdk/guard'
import type { DataSource } from 'typeorm'
import { createOrderCache } from './order-cache.ts'
import { ordersOf } from './orders.ts'
import { notFound, RequestError } from './request-error.ts'
import { handle, type Route, routeOf } from './routes.ts'
import type { Settings } from './settings.ts'
import type { Tenancy } from './tenancy.ts'

const rememberedOrders = 1_000

/** Not listening yet. Throws when the settings of the verifier are not good. */
export function createOrdersServer(
  settings: Settings,
  database: DataSource,
  { guard: sqlGuard, stock }: Tenancy,
  log: LineLogger,
): Server {
  const verifier = createVerifier({
    issuer: settings.issuer,
    audience: settings.audience,
    jwks: settings.jwksUrl,
    onKeysError: (error) => log.warn('the keys of the issuer could not be fetched:', messageOf(error)),
  })
  const parts = { database, guard: sqlGuard, cache: createOrderCache(rememberedOrders) }
  const { unscopedReport } = settings
  const guard = workspaceGuard({ verifier, named: (request) => routeOf(request)?.workspace })

  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    if (request.url === '/healthz') return sendJson(response, 200, { status: 'serving' })
    const route = routeOf(request)
    if (route === undefined) throw notFound()
    await guard(request, response, (error) => {
      if (error !== undefined) sendError(response, error, log)
      else act(request, response, route)
    })
  }
  const act = async (request: IncomingMessage, response: ServerResponse, route: Route): Promise<void> => {
    const context = contextFrom(request)
    const requestLog = bindLogger(log, context)
    try {
      // Whatever reaches the database in here has to be pinned to this place.
      const desk = { orders: ordersOf(parts, context), stock, unscopedReport }
      const answer = await withTenant(context, () => handle(request, route, context, desk))
      sendJson(response, answer.status, answer.body, answer.headers)
      requestLog.info(request.method, answer.status)
    } catch (error) {
      sendError(response, error, requestLog)
    }
  }

  const limits = { headersTimeout: 10_000, requestTimeout: 30_000, maxHeaderSize: 16_384 }
  return createServer(limits, (request, response) => {
    serve(request, response).catch((error: unknown) => sendError(response, error, log))
  })
}

function sendError(response: ServerResponse, error: unknown, log: LineLogger): void {
  if (response.headersSent || response.destroyed) {
    response.destroy()
  } else if (error instanceof AccessError) {
    // Where there is a cause, it is this service that was refused something, not whoever asks it.
    if (error.cause !== undefined) log.warn('a request was refused:', error.reason, messageOf(error.cause))
    answerRefusal(response, error)
  } else if (error instanceof RequestError) {
    const { status, reason, message, headers } = error
    sendJson(response, status, { error: { reason, message } }, headers)
  } else {
    // What a driver says is for the log; it may name hosts, tables and values.
    log.error('a request failed:', messageOf(guardViolationIn(error) ?? error))
    sendError(response, new RequestError('INTERNAL', 'Something failed here. Try again; the log says more.'), log)
  }
}

function sendJson(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): void {
  const text = `${JSON.stringify(body)}\n`
  response.writeHead(status, {
    ...headers,
    'content-type': 'application/json; charset=utf-8',
    'content-length': Buffer.byteLength(text),
    'cache-control': 'no-store',
  })
  response.end(text)
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
