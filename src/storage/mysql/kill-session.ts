import type { MysqlServer } from './mysql-server.ts'
import { type MysqlSession, openSession } from './mysql-session.ts'

const NO_SUCH_THREAD = 1094
const killTimeoutMs = 2_000
/** The server's clock counts whole seconds, and so does its uptime. */
const sameStartSeconds = 2

/**
 * Ends at the server what this process has given up, so that its locks are free. Any account may kill its own connections.
 * Does nothing where the server was started anew: the number may be somebody else's by now, and nothing is left to end.
 */
export async function killSession(server: MysqlServer, given: MysqlSession): Promise<void> {
  const session = await openSession(server, 'read')
  try {
    if (Math.abs(session.facts.startedAtSeconds - given.facts.startedAtSeconds) > sameStartSeconds) return
    await session.run(`KILL ${given.threadId}`, [], killTimeoutMs)
  } catch (error) {
    if (!(error instanceof Error && 'errno' in error && error.errno === NO_SUCH_THREAD)) throw error
  } finally {
    await session.end()
  }
}
