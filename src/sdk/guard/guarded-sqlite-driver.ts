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
 * the `withTenant` around it, never by the one in which its statement was prepared.
 */
export function guardedSqliteDriver(guard: TenantGuard, driver: SqliteConnectionClass): SqliteConnectionClass {
  return class GuardedSqliteConnection implements SqliteConnectionLike {
    readonly #database: SqliteConnectionLike

    constructor(path: string, options?: object) {
      this.#database = new driver(path, options)
    }

    prepare(sql: string): SqliteStatementLike {
      // Some pragmas act while they are prepared.
      if (guard.mode === 'enforce') guard.admitText(sql, currentSession())
      const statement = this.#database.prepare(sql)
      const checked = (params: readonly unknown[]): readonly unknown[] => {
        guard.admit(sql, params, currentSession())
        return params
      }
      return {
        reader: statement.reader,
        all: (...params) => statement.all(...checked(params)),
        run: (...params) => statement.run(...checked(params)),
      }
    }

    exec(sql: string): void {
      guard.admit(sql, [], currentSession())
      this.#database.exec(sql)
    }

    pragma(text: string): unknown {
      if (!harmlessPragmas.has(text)) guard.admit(`PRAGMA ${text}`, [], currentSession())
      return this.#database.pragma(text)
    }

    close(): void {
      this.#database.close()
    }
  }
}
