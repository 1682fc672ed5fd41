import type { EntityManager } from 'typeorm'
import type { Clock } from '../../base/clock.ts'
import { TenureError } from '../../base/errors.ts'
import type { Written } from '../database.ts'
import { storageErrorFrom } from '../storage-error.ts'
import { type MysqlFailure, mysqlFailureOf } from './mysql-errors.ts'
import type { MysqlSession } from './mysql-session.ts'
import type { SessionPool } from './session-pool.ts'

export interface TransactionParts<T> {
  readonly useSession: SessionPool['use']
  readonly lease: <R>(session: MysqlSession, part: (manager: EntityManager) => Promise<R>) => Promise<R>
  readonly work: (manager: EntityManager) => Promise<Written<T>>
  /** Ends the session at the server, so that its locks are free. Never rejects. */
  readonly kill: (session: MysqlSession) => Promise<void>
  readonly clock: Clock
  /** From 0 up to 1: two units that deadlocked must not meet again. */
  readonly jitter: () => number
}

/** How often the whole closure is run, by why it has to be run again. */
const maxRuns: Partial<Record<MysqlFailure, number>> = { again: 4, lost: 2, 'read-only': 2 }
/** Head locks are held no longer than this, whatever the closure waits for. */
const lifetimeMs = 5_000
/** How long the fate of a lost COMMIT is asked for. */
const settleForMs = 8_000
const settlePauseMs = 100
const backOffMs = 20

/** The outcome of one run of the closure. */
type Run<T> =
  | { readonly kind: 'done'; readonly value: T }
  /** Nothing of it is left in the database. */
  | { readonly kind: 'rolled-back'; readonly error: unknown }
  /** Its COMMIT was sent, and no answer came. */
  | { readonly kind: 'unknown'; readonly written: Written<T>; readonly session: MysqlSession; readonly error: unknown }

/**
 * Runs the closure in one transaction: the whole of it again after a deadlock, a lock wait or a connection lost before
 * COMMIT (each time after everything was rolled back: a retry of the last statement alone would commit half of it), and
 * never again once a COMMIT may have taken effect.
 */
export async function runTransaction<T>(parts: TransactionParts<T>): Promise<T> {
  for (let runs = 1; ; runs += 1) {
    const run = await runOnce(parts)
    if (run.kind === 'done') return run.value
    const committed = run.kind === 'unknown' && (await settle(parts, run))
    if (run.kind === 'unknown' && committed) return run.written.value
    const failure = mysqlFailureOf(run.error)
    if (runs >= (maxRuns[failure] ?? 1)) throw storageErrorFrom(run.error)
    await pause(backOffMs * runs * (0.5 + parts.jitter()))
  }
}

async function runOnce<T>(parts: TransactionParts<T>): Promise<Run<T>> {
  try {
    return await parts.useSession((session) => runIn(parts, session))
  } catch (error) {
    return { kind: 'rolled-back', error }
  }
}

/** Rejects only with what left nothing behind; sessions that may hold something are ended. */
async function runIn<T>(parts: TransactionParts<T>, session: MysqlSession): Promise<Run<T>> {
  const tooLong = setTimeout(() => {
    session.abandon()
    // At once: the closure may be waiting for something else than this connection.
    void parts.kill(session)
  }, lifetimeMs)
  try {
    return await parts.lease(session, async (manager) => {
      const written = await closure(parts, session, manager)
      if (!written.keep) return { kind: 'done', value: written.value } as const
      try {
        await manager.query('COMMIT')
        return { kind: 'done', value: written.value } as const
      } catch (error) {
        if (isRolledBack(error)) {
          await rollBack(session, manager)
          throw error
        }
        session.destroy()
        return { kind: 'unknown', written, session, error } as const
      }
    })
  } finally {
    clearTimeout(tooLong)
  }
}

async function closure<T>(
  { work }: TransactionParts<T>,
  session: MysqlSession,
  manager: EntityManager,
): Promise<Written<T>> {
  let written: Written<T> | undefined
  try {
    written = await work(manager)
    return written
  } finally {
    if (written?.keep !== true) await rollBack(session, manager)
  }
}

/** Explicit, because after a lock wait the server has rolled back one statement, not the transaction. */
async function rollBack(session: MysqlSession, manager: EntityManager): Promise<void> {
  if (session.ended) return
  await manager.query('ROLLBACK').catch(() => session.destroy())
}

/** The server answered COMMIT with one of the errors that say the transaction is gone. */
function isRolledBack(error: unknown): boolean {
  const failure = mysqlFailureOf(error)
  return failure === 'again' || failure === 'read-only'
}

/** Whether a COMMIT without an answer took effect. Fails when that cannot be found out in time. */
async function settle<T>(
  parts: TransactionParts<T>,
  { written, session, error }: Extract<Run<T>, { kind: 'unknown' }>,
): Promise<boolean> {
  const { wasCommitted } = written
  if (wasCommitted === undefined) throw fateUnknown(error)
  const untilMs = parts.clock.monotonicMs() + settleForMs
  for (;;) {
    // Until it has ended there, it may yet commit, and holds the head's lock against the question.
    await parts.kill(session)
    try {
      return await parts.useSession((fresh) =>
        parts.lease(fresh, async (manager) => {
          try {
            return await wasCommitted(manager)
          } finally {
            await rollBack(fresh, manager)
          }
        }),
      )
    } catch (failed) {
      // Whatever the reason: the caller must never be told that nothing was done.
      if (!isPassing(failed) || parts.clock.monotonicMs() >= untilMs) throw fateUnknown(failed)
      await pause(settlePauseMs)
    }
  }
}

function isPassing(error: unknown): boolean {
  if (error instanceof TenureError) return error.reason !== 'SHUTTING_DOWN'
  return mysqlFailureOf(error) !== 'other'
}

function fateUnknown(cause: unknown): TenureError {
  return new TenureError(
    'DATABASE_UNAVAILABLE',
    'The database went away while it committed: the change may or may not have been made. Repeat the call with the same request_id.',
    { retryAfterMs: 1_000, cause },
  )
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
