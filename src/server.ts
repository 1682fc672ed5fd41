import { randomFillSync } from 'node:crypto'
import { ownPermissions } from './access/own-permissions.ts'
import { openCheckpointEvidence } from './audit-checkpoints.ts'
import { openBackground } from './background.ts'
import { type Clock, systemClock } from './base/clock.ts'
import { createIds, type Ids, type RandomFill } from './base/ids.ts'
import { createJitter } from './base/jitter.ts'
import { pooledRandom } from './base/random-pool.ts'
import { StartError } from './base/start-error.ts'
import type { Config } from './config/config.ts'
import { formatListenAddress, httpUrlOf } from './config/listen-address.ts'
import { type Keys, openKeys } from './keys.ts'
import { createLog, type Log } from './observe/log.ts'
import { createMetrics, type Metrics } from './observe/metrics.ts'
import { openPlatform, type Platform } from './platform.ts'
import type { ServiceImplementation } from './rpc/call.ts'
import { createHealth } from './rpc/health.ts'
import { compilePolicies } from './rpc/method-policy.ts'
import { createPipeline } from './rpc/pipeline.ts'
import { createReflection } from './rpc/reflection.ts'
import { tenureServices } from './rpc/services.ts'
import { createServices } from './service-list.ts'
import type { StatementObserver } from './storage-parts.ts'
import { createConnectHandler } from './transport/connect/connect-handler.ts'
import { createGrpcServer } from './transport/grpc/grpc-server.ts'
import { createHttpServer } from './transport/http/http-server.ts'
import { probeRoutes, wellKnownRoutes } from './transport/http/routes.ts'

/** What a test may replace. Everything else is real everywhere. */
export interface ServerOverrides {
  readonly clock?: Clock
  readonly random?: RandomFill
  readonly log?: Log
  /** Hears every statement that the guard let through, as it was bound, before it runs. */
  readonly observeStatement?: StatementObserver
}

export interface Server extends AsyncDisposable {
  readonly grpcPort: number
  readonly httpPort: number
  readonly platform: Platform
}

/** Log levels of the configuration beyond those the log has. */
const logLevelOf = {
  trace: 'debug',
  debug: 'debug',
  info: 'info',
  warn: 'warn',
  error: 'error',
  fatal: 'error',
} as const

export interface Runtime {
  readonly clock: Clock
  readonly ids: Ids
  readonly random: RandomFill
  /** Numbers from 0 up to 1, for waits that must not fall together. */
  readonly jitter: () => number
  readonly log: Log
  readonly metrics: Metrics
  readonly observeStatement: StatementObserver | undefined
}

export function createRuntime(config: Config, overrides: ServerOverrides = {}): Runtime {
  const clock = overrides.clock ?? systemClock
  const random = overrides.random ?? ((bytes) => void randomFillSync(bytes))
  return {
    clock,
    random,
    ids: createIds(clock, pooledRandom(random)),
    jitter: createJitter(pooledRandom(random)),
    log: overrides.log ?? createLog({ level: logLevelOf[config.logLevel] }),
    metrics: createMetrics({ runtime: true }),
    observeStatement: overrides.observeStatement,
  }
}

/** Configuration to listeners. Disposing drains: health says NOT_SERVING, calls finish, what is recorded is written, files close. */
export async function startServer(config: Config, overrides: ServerOverrides = {}): Promise<Server> {
  await using stack = new AsyncDisposableStack()
  const runtime = createRuntime(config, overrides)
  const platform = stack.use(await openPlatform(config, runtime))
  const keys = stack.use(await openKeys(config, runtime, platform))
  const bound = { ...config.httpAddress }
  const issuer = () => config.issuer ?? httpUrlOf(bound)
  const background = stack.use(openBackground(config, runtime, platform, keys))
  const evidence = await openCheckpointEvidence(platform, keys)
  const services = createServices(platform, runtime, config, keys, issuer, { ...background, evidence })
  const { pipeline, health } = openPipeline(config, runtime, platform, keys, services)
  background.start(pipeline)
  const { drainMs } = config.limits
  const tls = config.tls === undefined ? {} : { tls: config.tls }
  const grpc = stack.use(createGrpcServer({ pipeline, drainMs, ...tls }))
  let serving = false
  const http = stack.use(
    createHttpServer({
      rpc: createConnectHandler(pipeline),
      routes: [
        ...probeRoutes({ isHealthy: () => true, isReady: () => serving, metrics: runtime.metrics }),
        ...wellKnownRoutes({ issuer, jwks: () => ({ keys: keys.signingKeys.published }) }),
      ],
      log: runtime.log,
      limits: { drainMs },
      ...tls,
    }),
  )
  stack.defer(async () => {
    serving = false
    health.setServing(false)
  })
  const grpcPort = await listening(config.grpcAddress, () => grpc.listen(formatListenAddress(config.grpcAddress)))
  const { host, port } = config.httpAddress
  const httpPort = await listening(config.httpAddress, () => http.listen(host, port))
  bound.port = httpPort
  serving = true
  health.setServing(true)
  const owned = stack.move()
  return { grpcPort, httpPort, platform, [Symbol.asyncDispose]: () => owned.disposeAsync() }
}

/** The steps of every method over what was opened, with health and reflection beside them. */
function openPipeline(
  config: Config,
  runtime: Runtime,
  platform: Platform,
  keys: Keys,
  services: readonly ServiceImplementation[],
) {
  const health = createHealth(tenureServices)
  const all = [...services, health.implementation]
  const descriptors = all.map(({ service }) => service)
  const pipeline = createPipeline({
    services: all,
    streams: [...health.streams, ...createReflection(descriptors)],
    policies: compilePolicies(descriptors, new Set(ownPermissions.map(({ name }) => name))),
    authenticator: platform.authenticator,
    gate: platform.gate,
    freshness: platform.freshness,
    recorder: platform.recorder,
    requestHashKey: keys.requestHashKey,
    ...runtime,
    limits: {
      maxDeadlineMs: config.limits.maxDeadlineMs,
      maxReadsInFlight: config.limits.maxInFlightReads,
      maxWritesInFlight: config.limits.maxInFlightWrites,
    },
  })
  return { pipeline, health }
}

async function listening(address: { host: string; port: number }, listen: () => Promise<number>): Promise<number> {
  try {
    return await listen()
  } catch (error) {
    const text = error instanceof Error ? `${'code' in error ? String(error.code) : ''} ${error.message}` : ''
    const where = formatListenAddress(address)
    if (text.includes('EADDRINUSE')) {
      throw new StartError(`${where} is in use by another program. Stop it, or choose another address.`)
    }
    if (text.includes('EACCES')) throw new StartError(`This user may not listen on ${where}. Choose a port above 1023.`)
    throw new StartError(`The server cannot listen on ${where}. Choose another address.`)
  }
}
