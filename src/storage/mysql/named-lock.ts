import { createHash } from 'node:crypto'
import { settledWithin } from '../../base/settled-within.ts'
import { createKiller } from './kill-session.ts'
import { ConnectionLost } from './mysql-errors.ts'
import type { MysqlServer } from './mysql-server.ts'
import { type MysqlSession, openSession } from './mysql-session.ts'

const askTimeoutMs = 3_000
const primaryStatement = 'SELECT @@GLOBAL.read_only OR @@GLOBAL.super_read_only AS read_only'
/** Often enough that the server does not end the session for idling, and that a lost name is noticed soon. */
const keepAliveMs = 5_000
/** How long a connection that was ended may take to let go. */
const retakeMs = 1_000
/** How long the end waits for a question under way. */
const lastAskMs = 500

/** Names of locks are the whole server's, at most 64 characters; two installations on one server must not meet. */
function lockName(server: MysqlServer, purpose: string): string {
  const digest = createHash('sha256').update(`${server.database}/${purpose}`).digest('hex')
  return `tenure:${digest.slice(0, 48)}`
}

/**
 * Runs `work` while no other process that shares the database is in work of the same purpose. Undefined: it could not be
 * had in time. Work that a connection lost in its midst leaves running is told by `assertHeld`, which then throws.
 */
export async function withNamedLock<T>(
  server: MysqlServer,
  purpose: string,
  waitMs: number,
  work: (assertHeld: () => Promise<void>) => Promise<T>,
): Promise<{ readonly value: T } | undefined> {
  const session = await openSession(server, 'read')
  const lost = Promise.withResolvers<never>()
  // Also where the lock was not to be had, or the work is done.
  lost.promise.catch(() => undefined)
  const timer = setInterval(() => {
    session.run('DO 0', [], askTimeoutMs).catch(lost.reject)
  }, keepAliveMs)
  const name = lockName(server, purpose)
  const assertHeld = async (): Promise<void> => {
    const rows = await session.run('SELECT IS_USED_LOCK(?) = CONNECTION_ID() AS held', [name], askTimeoutMs)
    if (!Array.isArray(rows) || Number(rows[0]?.held) !== 1) throw new ConnectionLost('the lock is not held any more')
  }
  try {
    if (!(await takeLock(session, name, waitMs))) return undefined
    // Without the lock somebody else may have begun the same.
    return { value: await Promise.race([work(assertHeld), lost.promise]) }
  } finally {
    clearInterval(timer)
    // The lock ends with the session.
    await session.end()
  }
}

/** In steps of a second: the session ends any statement that takes longer than a few. */
async function takeLock(session: MysqlSession, name: string, waitMs: number): Promise<boolean> {
  for (let waitedMs = 0; ; waitedMs += 1_000) {
    const rows = await session.run('SELECT GET_LOCK(?, ?) AS taken', [name, waitedMs < waitMs ? 1 : 0], askTimeoutMs)
    if (Array.isArray(rows) && Number(rows[0]?.taken) === 1) return true
    if (waitedMs >= waitMs) return false
  }
}

/** Which of these purposes somebody holds now. */
export async function heldNames(server: MysqlServer, purposes: readonly string[]): Promise<string[]> {
  const session = await openSession(server, 'write')
  try {
    const held: string[] = []
    for (const purpose of purposes) {
      const rows = await session.run('SELECT IS_USED_LOCK(?) AS holder', [lockName(server, purpose)], askTimeoutMs)
      if (Array.isArray(rows) && rows[0]?.holder !== null) held.push(purpose)
    }
    return held
  } finally {
    await session.end()
  }
}

/**
 * Holds a name for as long as this process lives, so that no two servers go by one name. The server frees it when the
 * connection ends, whatever became of the process; after an interruption it is taken again. Undefined: another has it.
 */
export async function holdName(
  server: MysqlServer,
  purpose: string,
  waitMs: number,
  failed: (what: string, error: unknown) => void,
): Promise<AsyncDisposable | undefined> {
  const name = lockName(server, purpose)
  let session = await openSession(server, 'write')
  if (!(await takeLock(session, name, waitMs))) {
    await session.end()
    return undefined
  }
  const kill = createKiller(server, (error) => failed('a connection could not be ended at the database', error))
  let holder = session
  let ended = false
  let running: Promise<void> = Promise.resolve()
  const keep = async (): Promise<void> => {
    try {
      const [row] = (await session.run(primaryStatement, [], askTimeoutMs)) as { read_only?: unknown }[]
      // The name is to be had at the primary: an old one that lost a fail-over frees nothing and stops nobody.
      if (Number(row?.read_only) === 0) return
      session.destroy()
    } catch {
      session.destroy()
    }
    try {
      session = await openSession(server, 'write')
      // The database may not know yet that the connection is gone, and would hold the name against its own server.
      await kill(holder)
      if (await takeLock(session, name, retakeMs)) holder = session
      else {
        session.destroy()
        failed('another server has taken the name of this one; give each a TENURE_REPLICA of its own', undefined)
      }
    } catch {
      // The database is away, and everything else says so already; the next round tries again.
    }
  }
  const timer = setInterval(() => {
    if (!ended) running = running.then(keep)
  }, keepAliveMs)
  return {
    async [Symbol.asyncDispose]() {
      ended = true
      clearInterval(timer)
      await settledWithin(running, lastAskMs)
      await session.end()
    },
  }
}
