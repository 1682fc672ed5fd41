import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2'

export type HttpRequest = IncomingMessage | Http2ServerRequest
export type HttpResponse = ServerResponse | Http2ServerResponse

export interface RouteAnswer {
  readonly status: number
  readonly contentType: string
  readonly body: string
}

/** One plain page beside the RPCs, by method and exact path. */
export interface Route {
  readonly method: 'GET'
  readonly path: string
  answer(): RouteAnswer | Promise<RouteAnswer>
}

export interface Probes {
  /** The process lives; false asks for a restart. */
  isHealthy(): boolean
  /** The process can answer; false asks for no traffic. */
  isReady(): boolean
  readonly metrics: { readonly contentType: string; text(): Promise<string> }
}

export function probeRoutes(probes: Probes): readonly Route[] {
  return [
    { method: 'GET', path: '/healthz', answer: () => state(probes.isHealthy()) },
    { method: 'GET', path: '/readyz', answer: () => state(probes.isReady()) },
    {
      method: 'GET',
      path: '/metrics',
      answer: async () => ({ status: 200, contentType: probes.metrics.contentType, body: await probes.metrics.text() }),
    },
  ]
}

function state(good: boolean): RouteAnswer {
  return json(good ? 200 : 503, { status: good ? 'ok' : 'unavailable' })
}

export function json(status: number, value: unknown): RouteAnswer {
  return { status, contentType: 'application/json', body: JSON.stringify(value) }
}

export function send(response: HttpResponse, answer: RouteAnswer): void {
  const body = Buffer.from(answer.body)
  // `as` joins two overloads of one method: HTTP/1.1 and HTTP/2 responses differ in types only.
  const target = response as ServerResponse
  target.writeHead(answer.status, {
    'content-type': answer.contentType,
    'content-length': body.length,
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  })
  target.end(body)
}
