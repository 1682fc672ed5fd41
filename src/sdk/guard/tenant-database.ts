import type { TenantContext, TenantLevelContext } from '../tenant-context.ts'
import type { GuardedMysqlConnection } from './mysql-connection.ts'
import type { MysqlQueryOptions } from './mysql-statement.ts'
import type { TenantGuard } from './tenant-guard.ts'
import { TenantRows } from './tenant-rows.ts'
import type { TenantSession } from './tenant-session.ts'

type Lease = () => Promise<GuardedMysqlConnection>

/** The database as one tenant's work sees it. Good until its `withTenant` ends, and for nobody else. */
export class TenantDatabase {
  readonly #guard: TenantGuard
  readonly #session: TenantSession
  readonly #lease: Lease
  /** Of the transaction this handle is for. */
  readonly #held: GuardedMysqlConnection | undefined

  constructor(guard: TenantGuard, session: TenantSession, lease: Lease, held?: GuardedMysqlConnection) {
    this.#guard = guard
    this.#session = session
    this.#lease = lease
    this.#held = held
  }

  get context(): TenantContext | TenantLevelContext {
    return this.#session.context
  }

  query<Result = unknown>(sql: string | MysqlQueryOptions, values?: unknown): Promise<[Result, unknown]> {
    return this.#on((connection) => connection.query<Result>(sql, values))
  }

  execute<Result = unknown>(sql: string | MysqlQueryOptions, values?: unknown): Promise<[Result, unknown]> {
    return this.#on((connection) => connection.execute<Result>(sql, values))
  }

  /** Statements with the predicate of this place, written for you. */
  table<Row = Readonly<Record<string, unknown>>>(name: string): TenantRows<Row> {
    return new TenantRows(this.#guard, this.#session.binding, this, name)
  }

  /** All of it or nothing: what `work` throws rolls back. Its statements run on the handle it is given. */
  async transaction<T>(work: (db: TenantDatabase) => Promise<T>): Promise<T> {
    // MySQL would commit what was done so far.
    if (this.#held !== undefined) throw new TypeError('this handle is of a transaction already')
    await using connection = await this.#lease()
    await connection.beginTransaction()
    try {
      const value = await work(new TenantDatabase(this.#guard, this.#session, this.#lease, connection))
      await connection.commit()
      return value
    } catch (error) {
      // Giving the connection back rolls back too, but nobody could wait for that.
      await connection.rollback().catch(() => undefined)
      throw error
    }
  }

  async #on<T>(run: (connection: GuardedMysqlConnection) => Promise<T>): Promise<T> {
    if (this.#held !== undefined) return run(this.#held)
    await using connection = await this.#lease()
    return await run(connection)
  }
}
