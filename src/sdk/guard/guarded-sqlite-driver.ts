import { SqliteTransaction } from './sqlite-transaction.ts'
import type { TenantGuard } from './tenant-guard.ts'
import { currentSession } from './tenant-session.ts'

/** A prepared statement of better-sqlite3, as far as it is used here. */
export interface SqliteStatementLike {
  readonly reader: boolean
  all(...params: readonly unknown[]): unknown[]
  run(...params: readonly unknown[]): { changes: number; lastInsertRowid: number | bigint }
}

/** A database of better-sqlite3, as far as it is used here. */
export interface SqliteConnectionLike {
  readonly inTransaction: boolean
  prepare(sql: string): SqliteStatementLike
  exec(sql: string): unknown
  pragma(text: string): unknown
  close(): unknown
}

export type SqliteConnectionClass = new (path: string, options?: object) => SqliteConnectionLike

/** What TypeORM sets while it opens a file. They go round prepare, so every other one is judged as a statement. */
const harmlessPragmas = new Set(['foreign_keys = ON', 'journal_mode = WAL'])

/**
 * The class to hand to TypeORM as `driver`. A file has one connection, which everybody shares: each execution is judged by
 * the `withTenant` around it, never by the one in which its statement was prepared; and while one of them has a transaction
 * open, nobody else's statement runs.
 */
export function guardedSqliteDriver(guard: TenantGuard, driver: SqliteConnectionClass): SqliteConnectionClass {
  return class GuardedSqliteConnection implements SqliteConnectionLike {
    readonly #database: SqliteConnectionLike
    readonly #transaction: SqliteTransaction

    constructor(path: string, options?: object) {
      this.#database = new driver(path, options)
      this.#transaction = new SqliteTransaction(guard, this.#database)
    }

    get inTransaction(): boolean {
      return this.#database.inTransaction
    }

    prepare(sql: string): SqliteStatementLike {
      // Some pragmas act while they are prepared.
      if (guard.mode === 'enforce') guard.admitText(sql, currentSession())
      const statement = this.#database.prepare(sql)
      const nothing = { changes: 0, lastInsertRowid: 0 }
      return {
        reader: statement.reader,
        all: (...params) => this.#admitted(sql, params, () => statement.all(...params), []),
        run: (...params) => this.#admitted(sql, params, () => statement.run(...params), nothing),
      }
    }

    exec(sql: string): void {
      this.#admitted(sql, [], () => this.#database.exec(sql), undefined)
    }

    pragma(text: string): unknown {
      if (harmlessPragmas.has(text)) return this.#database.pragma(text)
      return this.#admitted(`PRAGMA ${text}`, [], () => this.#database.pragma(text), undefined)
    }

    close(): void {
      this.#transaction.forget()
      this.#database.close()
    }

    /** `nothing` is what a statement answers that has nothing left to do. */
    #admitted<T>(sql: string, params: readonly unknown[], run: () => T, nothing: T): T {
      if (this.#transaction.isRolledBack(sql)) return nothing
      const session = currentSession()
      guard.admit(sql, params, session)
      return this.#transaction.run(sql, session, run)
    }
  }
}
