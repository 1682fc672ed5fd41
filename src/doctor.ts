import { connect } from 'node:net'
import type { Clock } from './base/clock.ts'
import { StartError } from './base/start-error.ts'
import type { Config } from './config/config.ts'
import { formatListenAddress, httpUrlOf, type ListenAddress } from './config/listen-address.ts'
import { type Examined, type Finding, failed, ok, warning } from './doctor-finding.ts'
import { examineKeyring } from './doctor-keyring.ts'
import { KeyringError } from './keyring/keyring-error.ts'
import type { Runtime } from './server.ts'
import { databaseClockMs, examineSchema, tryGuard } from './storage-check.ts'

/** More apart than this, and servers take each other's times for those of another day. */
const clockWarningMs = 5_000
const clockFailureMs = 60_000
const connectTimeoutMs = 2_000

/** Looks at everything a server needs, part by part, without changing anything and whether or not one is running. */
export async function examine(config: Config, runtime: Runtime): Promise<Examined[]> {
  const examined: Examined[] = []
  const look = async (part: Examined['part'], how: () => Promise<Finding>): Promise<void> => {
    examined.push({ part, ...(await how().catch(asFailure)) })
  }
  await look('database', () => examineDatabase(config, runtime.clock))
  await look('schema', () => lookAtSchema(config))
  await look('keyring', () => examineKeyring(config, runtime))
  await look('clock', () => examineClock(config, runtime.clock))
  await look('ports', () => examinePorts(config))
  await look('guard', () => examineGuard(config))
  await look('feed', () => examineFeed(config))
  await look('audit', () => examineCheckpoints(config, runtime.clock))
  return examined
}

/** Sentences of ours are for the operator; everything else may hold what it was given. */
function asFailure(error: unknown): Finding {
  if (error instanceof StartError || error instanceof KeyringError) return failed(error.message)
  return failed('It could not be looked at. Start the server and read its log.')
}

async function examineDatabase(config: Config, clock: Clock): Promise<Finding> {
  const { database } = config
  const beganMs = clock.monotonicMs()
  await databaseClockMs(database)
  const answered = `answers in ${Math.round(clock.monotonicMs() - beganMs)} ms`
  if (database.engine === 'sqlite') return ok(`SQLite at ${database.file} ${answered}.`)
  return ok(`MySQL at ${database.host}:${database.port}, database ${database.database}, ${answered}.`)
}

async function lookAtSchema({ database }: Config): Promise<Finding> {
  const { missing, drift } = await examineSchema(database)
  if (missing > 0) return failed(`${missing} migrations are not applied. Run tenure migrate up.`)
  if (drift.length === 0) return ok('Every migration is applied, and nothing was changed since.')
  return failed(`It is not what the migrations made: ${drift.slice(0, 3).join('; ')}. Put back what was changed.`)
}

async function examineClock({ database }: Config, clock: Clock): Promise<Finding> {
  if (database.engine === 'sqlite') return ok('The database has no clock of its own.')
  const apartMs = Math.abs((await databaseClockMs(database)) - clock.nowMs())
  const text = `This machine and the database are ${Math.round(apartMs)} ms apart`
  if (apartMs < clockWarningMs) return ok(`${text}.`)
  const advice = `${text}. Let both follow the same time source.`
  return apartMs < clockFailureMs ? warning(advice) : failed(advice)
}

async function examinePorts(config: Config): Promise<Finding> {
  const taken = await Promise.all([config.grpcAddress, config.httpAddress].map(isListening))
  const [grpc, http] = [config.grpcAddress, config.httpAddress].map(formatListenAddress)
  if (!taken[0] && !taken[1]) return ok(`${grpc} and ${http} are free.`)
  const health = taken[1] ? await statusOf(`${httpUrlOf(config.httpAddress)}/readyz`) : undefined
  if (taken[0] && health === 200) return ok(`A server listens on ${grpc} and ${http}, and serves.`)
  if (taken[0] && health === 503)
    return warning(`A server listens on ${grpc} and ${http}, and is not ready. Read its log.`)
  const other = taken[1] && health === undefined ? http : grpc
  return failed(`${other} is taken by something else. Stop it, or choose another address.`)
}

/** A server makes the guard at its start and does not start without it; here it is made and tried the same way. */
async function examineGuard({ database }: Config): Promise<Finding> {
  const open = await tryGuard(database.engine)
  if (open.length === 0) return ok('It refuses what it must refuse.')
  return failed(`It lets pass what it must refuse: ${open.join('; ')}. This build must not run.`)
}

async function examineFeed(config: Config): Promise<Finding> {
  const metrics = await textOf(`${httpUrlOf(config.httpAddress)}/metrics`)
  const seconds = metricIn(metrics, 'tenure_feed_freshness_seconds')
  if (seconds === undefined) return ok('No server runs here, so nothing is followed.')
  const text = `The server here decides by what is ${seconds.toFixed(2)} s old`
  if (seconds < 2) return ok(`${text}.`)
  return failed(`${text}. The database cannot be followed: look at the line above about it, and at the log.`)
}

/** A minute is many rounds: something keeps them. */
const lateSeconds = 60

async function examineCheckpoints(config: Config, clock: Clock): Promise<Finding> {
  const { sink } = config.auditCheckpoints
  if (sink.kind === 'none') {
    return warning(
      'Checkpoints of the audit chains stay in the database: who can write it can rewrite history. Set TENURE_AUDIT_CHECKPOINTS.',
    )
  }
  const where = sink.kind === 'file' ? sink.path : sink.kind === 'webhook' ? sink.url : 'standard output'
  const metrics = await textOf(`${httpUrlOf(config.httpAddress)}/metrics`)
  const rewritten = metricIn(metrics, 'tenure_audit_chains_rewritten')
  const upTo = metricIn(metrics, 'tenure_audit_checkpoint_timestamp_seconds')
  if (rewritten === undefined || upTo === undefined)
    return ok(`Checkpoints go to ${where}. No server runs here, so none is made.`)
  if (rewritten > 0) {
    return failed(`${rewritten} audit chains are not what was signed for. The log names them; ask VerifyAuditChain.`)
  }
  if (upTo === 0)
    return warning('The server here has shipped no checkpoint yet. It does within ten seconds; ask again.')
  const seconds = clock.nowMs() / 1000 - upTo
  if (seconds < lateSeconds) return ok(`Everything up to ${seconds.toFixed(0)} s ago is signed for in ${where}.`)
  return failed(
    `For a minute no checkpoint has come to ${where}. The log says why; mend the place or TENURE_AUDIT_CHECKPOINTS.`,
  )
}

/** Of a text as Prometheus reads it; undefined where there is none, or no text. */
function metricIn(text: string | undefined, name: string): number | undefined {
  const value = new RegExp(`^${name} (\\S+)$`, 'm').exec(text ?? '')?.[1]
  return value === undefined ? undefined : Number(value)
}

function isListening({ host, port }: ListenAddress): Promise<boolean> {
  if (port === 0) return Promise.resolve(false)
  return new Promise((resolve) => {
    const socket = connect({ host: host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host, port })
    const end = (listening: boolean) => {
      socket.destroy()
      resolve(listening)
    }
    socket.setTimeout(connectTimeoutMs, () => end(false))
    socket.once('connect', () => end(true))
    socket.once('error', () => end(false))
  })
}

async function statusOf(url: string): Promise<number | undefined> {
  try {
    return (await fetch(url, { signal: AbortSignal.timeout(connectTimeoutMs) })).status
  } catch {
    return undefined
  }
}

async function textOf(url: string): Promise<string | undefined> {
  try {
    return await (await fetch(url, { signal: AbortSignal.timeout(connectTimeoutMs) })).text()
  } catch {
    return undefined
  }
}
