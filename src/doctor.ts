import type { Clock } from './base/clock.ts'
import { StartError } from './base/start-error.ts'
import type { Config } from './config/config.ts'
import { type Examined, type Finding, failed, ok, warning } from './doctor-finding.ts'
import { examineKeyring } from './doctor-keyring.ts'
import { examineCheckpoints, examineFeed, examinePorts, seeServers } from './doctor-server.ts'
import { KeyringError } from './keyring/keyring-error.ts'
import type { Runtime } from './server.ts'
import { databaseClockMs, examineSchema, tryGuard } from './storage-check.ts'

/** More apart than this, and servers take each other's times for those of another day. */
const clockWarningMs = 5_000
const clockFailureMs = 60_000

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
  const servers = await seeServers(config)
  await look('ports', async () => examinePorts(servers))
  await look('guard', () => examineGuard(config))
  await look('feed', async () => examineFeed(servers))
  await look('audit', async () => examineCheckpoints(config, servers, runtime.clock))
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

/** A server makes the guard at its start and does not start without it; here it is made and tried the same way. */
async function examineGuard({ database }: Config): Promise<Finding> {
  const open = await tryGuard(database.engine)
  if (open.length === 0) return ok('It refuses what it must refuse.')
  return failed(`It lets pass what it must refuse: ${open.join('; ')}. This build must not run.`)
}
