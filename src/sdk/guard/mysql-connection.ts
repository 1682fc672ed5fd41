import { type MysqlQueryOptions, type MysqlWriting, mysqlStatementFrom } from './mysql-statement.ts'
import { MysqlTransactionTrail } from './mysql-transaction-trail.ts'
import type { TenantGuard } from './tenant-guard.ts'
import type { TenantSession } from './tenant-session.ts'

/** The part of a promise connection of mysql2 that is used here. */
export interface MysqlConnectionLike extends MysqlWriting {
  query(options: MysqlQueryOptions): Promise<[unknown, unknown]>
  execute(options: MysqlQueryOptions): Promise<[unknown, unknown]>
  ping(): Promise<unknown>
  release(): void
  destroy(): void
}

/**
 * A connection of a pool for one lease, in the place it was leased for and in no other. It has the methods of mysql2's
 * promise connection that run statements; nothing of it leads to the connection behind it.
 */
export class GuardedMysqlConnection implements MysqlWriting {
  readonly #guard: TenantGuard
  readonly #session: TenantSession | undefined
  readonly #connection: MysqlConnectionLike
  readonly #lease: Disposable | undefined
  readonly #trail = new MysqlTransactionTrail()
  #released = false

  constructor(guard: TenantGuard, session: TenantSession | undefined, connection: MysqlConnectionLike) {
    this.#guard = guard
    this.#session = session
    this.#connection = connection
    // What a tenant's work forgot to give back would wait, inside its transaction, for whoever finds it.
    this.#lease = guard.mode === 'enforce' ? session?.lease(() => this.release()) : undefined
  }

  query<Result = unknown>(sql: string | MysqlQueryOptions, values?: unknown): Promise<[Result, unknown]> {
    return this.#run('query', sql, values)
  }

  execute<Result = unknown>(sql: string | MysqlQueryOptions, values?: unknown): Promise<[Result, unknown]> {
    return this.#run('execute', sql, values)
  }

  async beginTransaction(): Promise<void> {
    await this.query('START TRANSACTION')
  }

  async commit(): Promise<void> {
    await this.query('COMMIT')
  }

  async rollback(): Promise<void> {
    await this.query('ROLLBACK')
  }

  async ping(): Promise<void> {
    if (this.#released) throw givenBack()
    await this.#connection.ping()
  }

  escape(value: unknown): string {
    return this.#connection.escape(value)
  }

  escapeId(name: string | string[]): string {
    return this.#connection.escapeId(name)
  }

  format(sql: string, values?: unknown[]): string {
    return this.#connection.format(sql, values)
  }

  /**
   * What was begun on it and not ended is rolled back first, and what was set for the next transaction is used up: the next
   * borrower may be another tenant. The driver sends it behind whatever is still on its way.
   */
  release(): void {
    if (this.#released) return
    this.#close()
    const { cleaning } = this.#trail
    if (cleaning.length === 0) {
      this.#connection.release()
      return
    }
    this.#clean(cleaning).then(
      () => this.#connection.release(),
      () => this.#connection.destroy(),
    )
  }

  destroy(): void {
    if (this.#released) return
    this.#close()
    this.#connection.destroy()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.release()
  }

  #close(): void {
    this.#released = true
    this.#lease?.[Symbol.dispose]()
  }

  async #clean(statements: readonly string[]): Promise<void> {
    for (const sql of statements) await this.#connection.query({ sql })
  }

  async #run<Result>(
    how: 'query' | 'execute',
    input: string | MysqlQueryOptions,
    given: unknown,
  ): Promise<[Result, unknown]> {
    const { sql, values, strange, judged, original } = mysqlStatementFrom(input, given)
    // Whoever has the connection now may be another tenant.
    if (this.#released && this.#session?.ended !== true) throw givenBack()
    if (strange) this.#guard.violated('placeholder', sql, this.#session)
    this.#guard.admit(sql, values, this.#session)
    if (this.#released) throw givenBack()
    // A code base that is only looked at runs as it always did, strange values and all.
    const runs = this.#guard.mode === 'enforce' ? judged : original
    const answered = this.#trail.sent(sql)
    const answer = (await this.#connection[how](runs)) as [Result, unknown]
    answered()
    return answer
  }
}

function givenBack(): TypeError {
  return new TypeError('this connection was given back')
}
