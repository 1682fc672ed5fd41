import type { Clock } from '../../base/clock.ts'
import { createLeasePool, type LeasePool } from '../../base/lease-pool.ts'
import { settledWithin } from '../../base/settled-within.ts'
import type { DatabaseIdentity } from '../database.ts'
import { ConnectionLost, mysqlFailureOf, UnfitServer } from './mysql-errors.ts'
import type { MysqlServer } from './mysql-server.ts'
import { type MysqlSession, openSession } from './mysql-session.ts'
import type { SessionKind } from './session-settings.ts'

/** A bounded number of sessions, each with one borrower at a time. */
export interface SessionPool {
  /** Opens a session where none is free that lives. What comes back ended is replaced by the next borrower. */
  use<T>(work: (session: MysqlSession) => Promise<T>): Promise<T>
  /** Ends every session once its borrower is done: the server behind the name may be another one by now. */
  renew(): void
  /** From now on new sessions must lead to that database. */
  onlyIf(identity: DatabaseIdentity): void
  close(): Promise<void>
}

export interface SessionPoolOptions {
  readonly server: MysqlServer
  readonly kind: SessionKind
  readonly size: number
  readonly maxWaiting: number
  readonly clock: Clock
  /** Hears of the first failure to connect after a success, with what the driver said. */
  readonly unreachable: (error: unknown) => void
}

const maxWaitMs = 2_000
/** The server ends idle sessions; one that slept for long is asked whether it lives before anything depends on it. */
const askAfterIdleMs = 10_000
const askTimeoutMs = 1_000
/** While a server cannot be reached, one borrower in so many milliseconds finds that out; the others are told at once. */
const holdOffMs = 200
/** How long closing waits for borrowers, in milliseconds: calls have been drained by then. */
const lastLeaseMs = 2_000

/** A session that nobody uses, and in which generation of the server it was opened. */
interface Idle {
  readonly session: MysqlSession
  readonly generation: number
}

export function createSessionPool(options: SessionPoolOptions): SessionPool {
  return new OpenedSessions(options)
}

class OpenedSessions implements SessionPool {
  readonly #options: SessionPoolOptions
  /** Leases count; which session a lease gets is decided when it is had, so that none goes without while one lives. */
  readonly #leases: LeasePool<unknown>
  readonly #idle: Idle[] = []
  /** Every session that lives, whoever has it. */
  readonly #open = new Set<MysqlSession>()
  #generation = 0
  #identity: DatabaseIdentity | undefined
  #failure: { readonly error: unknown; readonly untilMs: number } | undefined

  constructor(options: SessionPoolOptions) {
    this.#options = options
    const { size, maxWaiting } = options
    this.#leases = createLeasePool(Array.from({ length: size }), { maxWaiting, maxWaitMs })
  }

  use<T>(work: (session: MysqlSession) => Promise<T>): Promise<T> {
    return this.#leases.use(async () => {
      const leased = await this.#living()
      try {
        return await work(leased.session)
      } finally {
        leased.session.idleSinceMs = this.#options.clock.monotonicMs()
        if (!leased.session.ended) this.#idle.push(leased)
      }
    })
  }

  renew(): void {
    this.#generation += 1
  }

  onlyIf(identity: DatabaseIdentity): void {
    this.#identity = identity
  }

  async close(): Promise<void> {
    await settledWithin(this.#leases.close(), lastLeaseMs)
    await Promise.all(this.#idle.map(({ session }) => session.end()))
    // Whoever still has one waits for a database that does not answer.
    for (const session of this.#open) session.destroy()
  }

  async #living(): Promise<Idle> {
    for (let last = this.#idle.pop(); last !== undefined; last = this.#idle.pop()) {
      const { session, generation } = last
      if (session.ended) continue
      const nowMs = this.#options.clock.monotonicMs()
      if (generation === this.#generation && (await answers(session, nowMs))) return last
      session.destroy()
    }
    return this.#connect()
  }

  async #connect(): Promise<Idle> {
    const { server, kind, clock, unreachable } = this.#options
    if (this.#failure !== undefined && clock.monotonicMs() < this.#failure.untilMs) throw this.#failure.error
    const generation = this.#generation
    try {
      const session = await identified(await openSession(server, kind), this.#identity)
      this.#failure = undefined
      for (const known of this.#open) if (known.ended) this.#open.delete(known)
      this.#open.add(session)
      return { session, generation }
    } catch (cause) {
      if (this.#failure === undefined) unreachable(cause)
      const error =
        mysqlFailureOf(cause) === 'read-only' ? cause : new ConnectionLost('no connection could be had', { cause })
      this.#failure = { error, untilMs: clock.monotonicMs() + holdOffMs }
      throw error
    }
  }
}

const identityStatement = 'SELECT incarnation_id FROM cell_identity WHERE cell_id = ?'

/** A name can come to lead to another server: a restored copy must not take writes meant for the cell. */
async function identified(session: MysqlSession, expected: DatabaseIdentity | undefined): Promise<MysqlSession> {
  if (expected === undefined) return session
  try {
    const rows = await session.run(identityStatement, [expected.cellId], askTimeoutMs)
    // It began a transaction, whose snapshot must not be the next borrower's.
    await session.run('ROLLBACK', [], askTimeoutMs)
    const found = Array.isArray(rows) ? rows[0]?.incarnation_id : undefined
    if (found === expected.incarnationId) return session
    throw new UnfitServer(`it does not hold cell ${expected.cellId} in the life the directory knows`)
  } catch (error) {
    session.destroy()
    throw error
  }
}

async function answers(session: MysqlSession, nowMs: number): Promise<boolean> {
  if (nowMs - session.idleSinceMs < askAfterIdleMs) return true
  try {
    await session.run('DO 0', [], askTimeoutMs)
    await session.run('ROLLBACK', [], askTimeoutMs)
    return true
  } catch {
    return false
  }
}
