import type { TenantContext, TenantLevelContext } from '../tenant-context.ts'
import { GuardedMysqlConnection, type MysqlConnectionLike } from './mysql-connection.ts'
import { verifyMysqlSession } from './mysql-session.ts'
import type { MysqlQueryOptions, MysqlWriting } from './mysql-statement.ts'
import { TenantDatabase } from './tenant-database.ts'
import type { TenantGuard } from './tenant-guard.ts'
import { currentSession, inSession, TenantSession, type WithTenantOptions } from './tenant-session.ts'

/** The part of a promise pool of mysql2 that is used here. */
export interface MysqlPoolLike extends MysqlWriting {
  getConnection(): Promise<MysqlConnectionLike>
  end(): Promise<void>
}

/**
 * A pool of mysql2 behind the guard, with the methods of mysql2's promise pool that run statements. A connection acts in
 * the place it was leased in: that of the handle, or that of the `withTenant` around the call; outside of one it reaches
 * shared tables alone.
 */
export class GuardedMysqlPool implements MysqlWriting {
  readonly #guard: TenantGuard
  readonly #pool: MysqlPoolLike

  constructor(guard: TenantGuard, pool: MysqlPoolLike) {
    this.#guard = guard
    this.#pool = pool
  }

  /** Runs `work` in the place of the context, with a handle that is good until it ends. */
  async withTenant<T>(
    context: TenantContext | TenantLevelContext,
    work: (db: TenantDatabase) => Promise<T>,
    options: WithTenantOptions = {},
  ): Promise<T> {
    const session = new TenantSession(context, options)
    const lease = () => this.#lease(session)
    return inSession(session, () => work(new TenantDatabase(this.#guard, session, lease)))
  }

  query<Result = unknown>(sql: string | MysqlQueryOptions, values?: unknown): Promise<[Result, unknown]> {
    return this.#once((connection) => connection.query<Result>(sql, values))
  }

  execute<Result = unknown>(sql: string | MysqlQueryOptions, values?: unknown): Promise<[Result, unknown]> {
    return this.#once((connection) => connection.execute<Result>(sql, values))
  }

  getConnection(): Promise<GuardedMysqlConnection> {
    return this.#lease(currentSession())
  }

  escape(value: unknown): string {
    return this.#pool.escape(value)
  }

  escapeId(name: string | string[]): string {
    return this.#pool.escapeId(name)
  }

  format(sql: string, values?: unknown[]): string {
    return this.#pool.format(sql, values)
  }

  async end(): Promise<void> {
    await this.#pool.end()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end()
  }

  async #once<T>(run: (connection: GuardedMysqlConnection) => Promise<T>): Promise<T> {
    await using connection = await this.getConnection()
    return await run(connection)
  }

  async #lease(session: TenantSession | undefined): Promise<GuardedMysqlConnection> {
    const connection = await this.#pool.getConnection()
    try {
      if (this.#guard.mode === 'enforce') await verifyMysqlSession(connection)
    } catch (error) {
      connection.destroy()
      throw error
    }
    return new GuardedMysqlConnection(this.#guard, session, connection)
  }
}

/** Takes a pool of `mysql2/promise`, or one of `mysql2`. Whoever keeps the pool itself goes round the guard with it. */
export function guardedMysqlPool(
  guard: TenantGuard,
  pool: MysqlPoolLike | { promise(): MysqlPoolLike },
): GuardedMysqlPool {
  if (guard.dialect !== 'mysql') throw new TypeError('guardedMysqlPool needs a guard of the dialect mysql')
  return new GuardedMysqlPool(guard, 'promise' in pool ? pool.promise() : pool)
}
