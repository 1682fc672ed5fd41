import { createServer, type Server } from 'node:http'
import {
  createServer as createHttp2Server,
  createSecureServer,
  type Http2Server,
  type ServerHttp2Session,
} from 'node:http2'
import type { AddressInfo, Socket } from 'node:net'
import { settledWithin } from '../../base/settled-within.ts'
import type { Log } from '../../observe/log.ts'
import { sniffProtocol } from './protocol-sniffer.ts'
import { type HttpRequest, type HttpResponse, json, type Route, send } from './routes.ts'
import { TrackedConnections } from './tracked-connections.ts'

export interface HttpLimits {
  readonly headersMs: number
  /** Headers and body together. */
  readonly requestMs: number
  readonly keepAliveMs: number
  readonly idleMs: number
  readonly maxConnections: number
  readonly maxHeaderBytes: number
  readonly drainMs: number
}

const defaultHttpLimits: HttpLimits = {
  headersMs: 10_000,
  requestMs: 30_000,
  keepAliveMs: 15_000,
  idleMs: 15 * 60_000,
  maxConnections: 10_000,
  maxHeaderBytes: 16 * 1024,
  drainMs: 10_000,
}

/** What serves RPC paths. */
export interface RpcHandler extends Disposable {
  /** Answers false, and does nothing, for any other path. */
  handle(request: HttpRequest, response: HttpResponse): boolean
  /** Ends streams; calls go on. */
  drain(): void
}

/** PEM, each. */
export interface HttpTlsMaterial {
  readonly certificate: Buffer
  readonly privateKey: Buffer
  /** Set: a client must present a certificate that comes from it. */
  readonly clientCa?: Buffer | undefined
}

export interface HttpServerOptions {
  readonly rpc: RpcHandler
  readonly routes: readonly Route[]
  readonly log: Log
  readonly tls?: HttpTlsMaterial
  readonly limits?: Partial<HttpLimits>
}

/** HTTP/1.1 and HTTP/2 on one port, in the clear or over TLS. Disposing drains, then cuts what is left. */
export interface HttpServer extends AsyncDisposable {
  /** Answers the port: the one asked for, or the one the system chose for 0. */
  listen(host: string, port: number): Promise<number>
}

type Listener = Pick<Server, 'listen' | 'address' | 'close' | 'once' | 'off'>

export function createHttpServer(options: HttpServerOptions): HttpServer {
  const limits = { ...defaultHttpLimits, ...options.limits }
  const connections = new TrackedConnections()
  const draining = new AbortController()
  const serve = (request: HttpRequest, response: HttpResponse) => {
    if (request.httpVersionMajor === 1) closeWhenDraining(request, response, draining.signal)
    boundBody(request, limits.requestMs)
    if (!options.rpc.handle(request, response)) serveRoute(options, request, response)
  }
  const listener =
    options.tls === undefined
      ? clearListener(limits, connections, serve)
      : tlsListener(options.tls, limits, connections, serve)
  return {
    listen: (host, port) => listen(listener, host, port),
    [Symbol.asyncDispose]: async () => {
      draining.abort()
      await stop(listener, connections, options.rpc, limits.drainMs)
    },
  }
}

type Serve = (request: HttpRequest, response: HttpResponse) => void

/** The HTTP/1.1 server listens itself, so that its own time limits are enforced; HTTP/2 connections are handed over. */
function clearListener(limits: HttpLimits, connections: TrackedConnections, serve: Serve): Listener {
  const http1 = createServer(http1Options(limits), serve)
  const http2 = createHttp2Server(http2Options(limits), serve)
  prepareHttp2(http2, limits, connections)
  http1.maxConnections = limits.maxConnections
  const takeHttp1 = http1.listeners('connection') as ((socket: Socket) => void)[]
  http1.removeAllListeners('connection')
  http1.on('connection', (socket: Socket) => {
    connections.addSocket(socket)
    sniffProtocol(socket, {
      http1: (sniffed) => takeHttp1.forEach((take) => void take.call(http1, sniffed)),
      http2: (sniffed) => void http2.emit('connection', sniffed),
      firstBytesMs: limits.headersMs,
    })
  })
  return http1
}

function tlsListener(
  tls: HttpTlsMaterial,
  limits: HttpLimits,
  connections: TrackedConnections,
  serve: Serve,
): Listener {
  const material = { cert: tls.certificate, key: tls.privateKey, minVersion: 'TLSv1.2', allowHTTP1: true } as const
  const clients = tls.clientCa === undefined ? {} : { ca: tls.clientCa, requestCert: true, rejectUnauthorized: true }
  const timing = { handshakeTimeout: limits.headersMs }
  const both = { ...http1Options(limits), ...http2Options(limits), ...material, ...clients, ...timing }
  const server = createSecureServer(both, serve)
  prepareHttp2(server as unknown as Http2Server, limits, connections)
  server.maxConnections = limits.maxConnections
  server.on('connection', (socket: Socket) => connections.addSocket(socket))
  return server as unknown as Listener
}

function http1Options(limits: HttpLimits) {
  return {
    headersTimeout: limits.headersMs,
    requestTimeout: limits.requestMs,
    keepAliveTimeout: limits.keepAliveMs,
    connectionsCheckingInterval: Math.min(1_000, limits.headersMs),
    maxHeaderSize: limits.maxHeaderBytes,
    maxRequestsPerSocket: 10_000,
  }
}

/** Bounds against rapid reset, floods of header pairs, CONTINUATION and settings: the session is closed, others go on. */
function http2Options(limits: HttpLimits) {
  return {
    maxSessionMemory: 64,
    maxHeaderListPairs: 128,
    maxSessionInvalidFrames: 100,
    maxSessionRejectedStreams: 100,
    maxSettings: 32,
    unknownProtocolTimeout: limits.headersMs,
    settings: { maxConcurrentStreams: 250, maxHeaderListSize: limits.maxHeaderBytes },
  }
}

function prepareHttp2(server: Http2Server, limits: HttpLimits, connections: TrackedConnections): void {
  server.on('session', (session: ServerHttp2Session) => {
    connections.addSession(session)
    session.setTimeout(limits.idleMs, () => session.close())
  })
  // An error of one session is that client's; without a listener it would end the process.
  server.on('sessionError', () => {})
}

/** A connection that is kept alive would hold the shutdown up: it ends after the answer it carries. */
function closeWhenDraining(request: HttpRequest, response: HttpResponse, draining: AbortSignal): void {
  if (draining.aborted) response.setHeader('connection', 'close')
  response.once('finish', () => {
    if (draining.aborted) request.socket.end()
  })
}

/** HTTP/2 has no time limit of its own for a body: one that drips in for ever (slow-loris) is reset. */
function boundBody(request: HttpRequest, requestMs: number): void {
  if (!('stream' in request) || request.stream.readableEnded) return
  const { stream } = request
  const timer = setTimeout(() => stream.close(), requestMs)
  const received = () => clearTimeout(timer)
  stream.once('end', received)
  stream.once('close', received)
}

function serveRoute(options: HttpServerOptions, request: HttpRequest, response: HttpResponse): void {
  const path = request.url?.split('?', 1)[0] ?? ''
  const route = options.routes.find((candidate) => candidate.path === path)
  request.resume()
  if (route === undefined) {
    // Not in the shape of an RPC failure: Connect clients then take it for an unknown method, as it may be one.
    send(response, json(404, { error: 'There is no such page.' }))
    return
  }
  if (request.method !== route.method && request.method !== 'HEAD') {
    send(response, json(405, { error: `Use ${route.method}.` }))
    return
  }
  answerRoute(route, response, options.log)
}

async function answerRoute(route: Route, response: HttpResponse, log: Log): Promise<void> {
  try {
    send(response, await route.answer())
  } catch (error) {
    log.error({ err: error, path: route.path }, 'page failed')
    if (!response.headersSent) send(response, json(500, { error: 'Something is broken on our side.' }))
  }
}

function listen(listener: Listener, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    listener.once('error', reject)
    listener.listen(port, host, () => {
      listener.off('error', reject)
      resolve((listener.address() as AddressInfo).port)
    })
  })
}

const farewellMs = 500

async function stop(
  listener: Listener,
  connections: TrackedConnections,
  rpc: RpcHandler,
  drainMs: number,
): Promise<void> {
  const closed = new Promise<void>((resolve) => listener.close(() => resolve()))
  rpc.drain()
  connections.closeSessions()
  const ended = Promise.all([closed, connections.allClosed()])
  await settledWithin(ended, drainMs)
  // Calls that outlive the grace are told so before their connection is cut.
  rpc[Symbol.dispose]()
  await settledWithin(ended, farewellMs)
  connections.destroyAll()
  await closed
}
