import { bindingOf } from '../../sql-guard/connection-binding.ts'
import type { Guard } from '../../sql-guard/guard.ts'
import { ConnectionLost, mysqlFailureOf } from './mysql-errors.ts'
import type { MysqlSession, StatementResult } from './mysql-session.ts'

/**
 * The face of a connection that TypeORM's mysql driver uses, for one lease: what outlives its lease can do nothing. It is
 * also the object a scope binds its context to, and nothing runs on it that the guard has not proven for that binding.
 */
export class GuardedMysqlConnection {
  readonly #guard: Guard
  readonly #session: MysqlSession
  readonly #statementTimeoutMs: number
  #released = false
  /** The error after which the server has given the transaction up, in whole or in part. */
  #givenUp: unknown
  /** COMMIT or ROLLBACK was sent: whatever came after it would begin a transaction for the next borrower. */
  #ending = false

  constructor(guard: Guard, session: MysqlSession, statementTimeoutMs: number) {
    this.#guard = guard
    this.#session = session
    this.#statementTimeoutMs = statementTimeoutMs
  }

  /** TypeORM asks for the promise face before every query. */
  promise(): { query(sql: string, params?: readonly unknown[]): Promise<[StatementResult]> } {
    return { query: async (sql, params = []) => [await this.#query(sql, params)] }
  }

  release(): void {
    this.#released = true
  }

  /** The session listens itself; TypeORM adds no listener of its own where there is one. */
  listeners(): readonly unknown[] {
    return [this]
  }

  async #query(given: string, values: readonly unknown[]): Promise<StatementResult> {
    // Read once: what answers otherwise when it is read again must not show the guard one thing and the server another.
    const sql = String(given)
    const params = [...values]
    if (this.#released) throw new ConnectionLost('the lease of this connection has ended')
    const ends = sql === 'COMMIT' || sql === 'ROLLBACK'
    if (this.#ending && !ends) throw new ConnectionLost('the transaction of this lease has ended')
    this.#guard.check(sql, params, bindingOf(this))
    this.#ending ||= ends
    // Code that overlooks the failure must not go on into a second transaction and commit half of what it meant to.
    if (this.#givenUp !== undefined && sql !== 'ROLLBACK') throw this.#givenUp
    try {
      return await this.#session.run(sql, this.#guard.toBindable(params), this.#statementTimeoutMs)
    } catch (error) {
      if (mysqlFailureOf(error) === 'again') this.#givenUp = error
      throw error
    }
  }
}
