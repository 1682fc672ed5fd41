import { logVerbosity, Server, ServerCredentials, setLogVerbosity } from '@grpc/grpc-js'
import type { Pipeline } from '../../rpc/pipeline.ts'
import { completeEarlyStatuses } from './early-status.ts'
import { bufferOf } from './failure-status.ts'
import { streamMethod } from './stream-method.ts'

export interface TlsMaterial {
  /** PEM. */
  readonly certificate: Buffer
  /** PEM. */
  readonly privateKey: Buffer
  /** PEM. Set: a client must present a certificate that comes from it. */
  readonly clientCa?: Buffer | undefined
}

export interface GrpcServerOptions {
  readonly pipeline: Pipeline
  readonly tls?: TlsMaterial
  /** How long calls may go on once the server is told to stop. */
  readonly drainMs?: number
}

/** Native gRPC. Disposing drains: no new connections, GOAWAY, calls finish, then whatever is left is cut. */
export interface GrpcServer extends AsyncDisposable {
  /** Answers the port: the one asked for, or the one the system chose for 0. */
  listen(address: string): Promise<number>
}

const limits = {
  'grpc.max_connection_age_ms': 30 * 60_000,
  'grpc.max_connection_age_grace_ms': 60_000,
  'grpc.max_connection_idle_ms': 15 * 60_000,
  'grpc.max_concurrent_streams': 250,
  'grpc.keepalive_time_ms': 60_000,
  'grpc.keepalive_timeout_ms': 20_000,
  'grpc.enable_channelz': 0,
  // Megabytes. Without it grpc-js switches Node's own bound off.
  'grpc-node.max_session_memory': 64,
} as const

const defaultDrainMs = 10_000

export function createGrpcServer(options: GrpcServerOptions): GrpcServer {
  const { pipeline } = options
  // grpc-js prints headers it cannot read, the credential among them, to standard error.
  setLogVerbosity(logVerbosity.NONE)
  const early = completeEarlyStatuses(pipeline)
  const server = new Server({
    ...limits,
    'grpc.max_receive_message_length': pipeline.limits.maxRequestBytes,
    interceptors: [early.interceptor],
  })
  hardenSessions(server)
  const shutdown = new AbortController()
  register(server, pipeline, shutdown.signal)
  return {
    listen: (address) => bind(server, address, credentials(options.tls)),
    [Symbol.asyncDispose]: async () => {
      await stop(server, shutdown, options.drainMs ?? defaultDrainMs)
      early[Symbol.dispose]()
    },
  }
}

function register(server: Server, pipeline: Pipeline, shutdown: AbortSignal): void {
  const same = (bytes: Buffer) => bytes
  const serialize = (bytes: Buffer) => bufferOf(bytes)
  // The interceptor answers unary calls; they are registered so that grpc-js finds their paths.
  for (const name of pipeline.methods.keys()) {
    server.register(`/${name}`, unreachable as never, serialize, same, 'unary')
  }
  for (const [name, stream] of pipeline.streams) {
    const type = stream.method.methodKind === 'server_streaming' ? 'serverStream' : 'bidi'
    server.register(`/${name}`, streamMethod(stream, pipeline, shutdown) as never, serialize, same, type)
  }
}

function unreachable(): never {
  throw new Error('a unary call went past the interceptor that answers it')
}

/**
 * Bounds against floods of header pairs, broken frames and rejected streams. grpc-js has no option for them, so they are
 * put where it keeps what it hands to node:http2; a version that keeps it elsewhere does not start.
 */
function hardenSessions(server: Server): void {
  const { commonServerOptions } = server as unknown as { commonServerOptions?: Record<string, unknown> }
  if (commonServerOptions === undefined) throw new Error('this version of grpc-js hides its http2 options')
  Object.assign(commonServerOptions, {
    maxHeaderListPairs: 128,
    maxSessionInvalidFrames: 100,
    maxSessionRejectedStreams: 100,
  })
}

function credentials(tls: TlsMaterial | undefined): ServerCredentials {
  if (tls === undefined) return ServerCredentials.createInsecure()
  const pair = { cert_chain: tls.certificate, private_key: tls.privateKey }
  return ServerCredentials.createSsl(tls.clientCa ?? null, [pair], tls.clientCa !== undefined)
}

function bind(server: Server, address: string, serverCredentials: ServerCredentials): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(address, serverCredentials, (error, port) => (error === null ? resolve(port) : reject(error)))
  })
}

/** `tryShutdown` waits for open streams for ever (grpc-node #1458): the own timer cuts them. */
function stop(server: Server, shutdown: AbortController, drainMs: number): Promise<void> {
  shutdown.abort()
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      server.forceShutdown()
      resolve()
    }, drainMs)
    server.tryShutdown(() => {
      clearTimeout(timer)
      resolve()
    })
  })
}
