import { mysqlFailureOf } from './mysql-errors.ts'
import type { MysqlServer } from './mysql-server.ts'
import { type MysqlSession, openSession } from './mysql-session.ts'

/**
 * Ends at the server what this process has given up, so that its locks are free; any account may kill its own connections.
 * Once for each session, unless it could not be asked. Does nothing where another server answers by now, or the same one
 * started anew: the number may be somebody else's, and nothing is left to end. Never rejects.
 */
export type Killer = (given: MysqlSession) => Promise<void>

const NO_SUCH_THREAD = 1094
const killTimeoutMs = 2_000
/** The server's clock counts whole seconds, and so does its uptime. */
const sameStartSeconds = 2

/** `failed` hears of what only a person can mend; that no connection can be had, everything else says already. */
export function createKiller(server: MysqlServer, failed: (error: unknown) => void): Killer {
  const asked = new WeakMap<MysqlSession, Promise<void>>()
  return (given) => {
    const known = asked.get(given)
    if (known !== undefined) return known
    const killing = kill(server, given).catch((error: unknown) => {
      asked.delete(given)
      if (mysqlFailureOf(error) === 'other') failed(error)
    })
    asked.set(given, killing)
    return killing
  }
}

async function kill(server: MysqlServer, given: MysqlSession): Promise<void> {
  const session = await openSession(server, 'read')
  try {
    const { serverId, startedAtSeconds } = session.facts
    if (serverId !== given.facts.serverId) return
    if (Math.abs(startedAtSeconds - given.facts.startedAtSeconds) > sameStartSeconds) return
    await session.run(`KILL ${given.threadId}`, [], killTimeoutMs)
  } catch (error) {
    if (!(error instanceof Error && 'errno' in error && error.errno === NO_SUCH_THREAD)) throw error
  } finally {
    await session.end()
  }
}
