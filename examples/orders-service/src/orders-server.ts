import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { AccessError, answerRefusal, contextFrom, createVerifier, workspaceGuard } from 'tenure-sdk'
import type { DataSource } from 'typeorm'
import { ordersOf } from './orders.ts'
import { notFound, RequestError } from './request-error.ts'
import { handle, type Route, routeOf } from './routes.ts'
import type { Settings } from './settings.ts'

type Log = (line: string) => void

/** Not listening yet. Throws when the settings of the verifier are not good. */
export function createOrdersServer(settings: Settings, database: DataSource, log: Log): Server {
  const verifier = createVerifier({
    issuer: settings.issuer,
    audience: settings.audience,
    jwks: settings.jwksUrl,
    onKeysError: (error) => log(`the keys of the issuer could not be fetched: ${messageOf(error)}`),
  })
  const guard = workspaceGuard({ verifier, named: (request) => routeOf(request)?.workspace })

  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    if (request.url === '/healthz') return sendJson(response, 200, { status: 'serving' })
    const route = routeOf(request)
    if (route === undefined) throw notFound()
    await guard(request, response, (error) => {
      if (error !== undefined) sendError(response, error, log)
      else act(request, response, route).catch((failure: unknown) => sendError(response, failure, log))
    })
  }
  const act = async (request: IncomingMessage, response: ServerResponse, route: Route): Promise<void> => {
    const context = contextFrom(request)
    const { status, body, headers } = await handle(request, route, context, ordersOf(database, context))
    sendJson(response, status, body, headers)
  }

  const limits = { headersTimeout: 10_000, requestTimeout: 30_000, maxHeaderSize: 16_384 }
  return createServer(limits, (request, response) => {
    serve(request, response).catch((error: unknown) => sendError(response, error, log))
  })
}

function sendError(response: ServerResponse, error: unknown, log: Log): void {
  if (response.headersSent || response.destroyed) {
    response.destroy()
  } else if (error instanceof AccessError) {
    answerRefusal(response, error)
  } else if (error instanceof RequestError) {
    const { status, reason, message, headers } = error
    sendJson(response, status, { error: { reason, message } }, headers)
  } else {
    // What a driver says is for the log; it may name hosts, tables and values.
    log(`a request failed: ${messageOf(error)}`)
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
