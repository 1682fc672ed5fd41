import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2'

export type HttpRequest = IncomingMessage | Http2ServerRequest
export type HttpResponse = ServerResponse | Http2ServerResponse

export interface RouteAnswer {
  readonly status: number
  readonly contentType: string
  readonly body: string
  /** Default: `no-store`. */
  readonly cacheControl?: string
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

/** How long verifiers may keep the keys, in seconds: a new one is published that long before it signs. */
const jwksMaxAgeSeconds = 300

export interface TokenVerification {
  readonly issuer: () => string
  /** The keys as RFC 7517 writes them. */
  readonly jwks: () => { readonly keys: readonly object[] }
}

/** Where verifiers find the keys, and what they are told about who issues (RFC 8414, and the same where OpenID clients look). */
export function wellKnownRoutes({ issuer, jwks }: TokenVerification): readonly Route[] {
  const cached = (value: unknown): RouteAnswer => ({
    ...json(200, value),
    cacheControl: `public, max-age=${jwksMaxAgeSeconds}`,
  })
  const metadata = () =>
    cached({
      issuer: issuer(),
      jwks_uri: `${issuer()}/.well-known/jwks.json`,
      response_types_supported: [],
      grant_types_supported: [],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: ['EdDSA'],
    })
  return [
    { method: 'GET', path: '/.well-known/jwks.json', answer: () => cached(jwks()) },
    { method: 'GET', path: '/.well-known/openid-configuration', answer: metadata },
    { method: 'GET', path: '/.well-known/oauth-authorization-server', answer: metadata },
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
    'cache-control': answer.cacheControl ?? 'no-store',
    'x-content-type-options': 'nosniff',
  })
  target.end(body)
}
