import { existsSync } from 'node:fs'
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { bindingOf } from '../../sql-guard/connection-binding.ts'
import type { Guard } from '../../sql-guard/guard.ts'
import { rowFromSqlite, type SqliteRow } from './sqlite-row.ts'
import { applyConnectionSettings, isHarmlessPragma } from './sqlite-settings.ts'

/** What TypeORM passes to the constructor of its `driver` option, and the part of it that means something here. */
interface NodeSqliteOptions {
  readonly readonly?: boolean
  readonly fileMustExist?: boolean
  /** Milliseconds to wait for another connection's lock. */
  readonly timeout?: number
}

interface NodeSqliteStatement {
  /** Whether it returns rows: TypeORM calls all() if so, run() otherwise. */
  readonly reader: boolean
  all(...params: readonly unknown[]): SqliteRow[]
  run(...params: readonly unknown[]): { readonly changes: number; readonly lastInsertRowid: number | bigint }
}

/**
 * The face of a connection TypeORM's better-sqlite3 driver uses. It is also the object a scope binds its context to:
 * `bindConnection(connection, …)`. Nothing runs on it that the guard has not proven for that binding.
 */
export interface NodeSqliteConnection {
  prepare(sql: string): NodeSqliteStatement
  exec(sql: string): void
  pragma(text: string): SqliteRow[]
  close(): void
}

type NodeSqliteDriver = new (path: string, options?: NodeSqliteOptions) => NodeSqliteConnection

const BUSY_TIMEOUT_MS = 5_000

/** The class to hand to TypeORM as `driver` of a `better-sqlite3` data source; statements run on Node's own SQLite. */
export function createNodeSqliteDriver({ guard }: { readonly guard: Guard }): NodeSqliteDriver {
  return class extends GuardedConnection {
    constructor(path: string, options: NodeSqliteOptions = {}) {
      super(guard, path, options)
    }
  }
}

class GuardedConnection implements NodeSqliteConnection {
  readonly #guard: Guard
  readonly #database: DatabaseSync

  constructor(guard: Guard, path: string, options: NodeSqliteOptions) {
    const readOnly = options.readonly === true
    if (options.fileMustExist === true && !existsSync(path)) throw new Error('the database file does not exist')
    this.#guard = guard
    // Double-quoted strings stay off: an unknown "tenant_id" would otherwise turn into the text tenant_id.
    this.#database = new DatabaseSync(path, {
      readOnly,
      timeout: options.timeout ?? BUSY_TIMEOUT_MS,
      enableForeignKeyConstraints: true,
      enableDoubleQuotedStringLiterals: false,
      allowExtension: false,
    })
    try {
      applyConnectionSettings(this.#database, { readOnly, inMemory: path === ':memory:' })
    } catch (error) {
      this.#database.close()
      throw error
    }
  }

  prepare(given: string): NodeSqliteStatement {
    // Read once, as its values are by being spread: the guard and the engine get the same text.
    const sql = String(given)
    this.#guard.checkText(sql, bindingOf(this))
    const statement = this.#database.prepare(sql)
    // SQLite compiles the first statement and drops the rest: a migration of two would run half of itself.
    if (sql.slice(statement.sourceSQL.length).trim() !== '') throw new Error('one statement at a time is prepared')
    return new GuardedStatement(this.#guard, this, statement, sql)
  }

  exec(sql: string): void {
    this.#guard.check(sql, [], bindingOf(this))
    this.#database.exec(sql)
  }

  /** Pragmas go round prepare, so all but the harmless ones need the migration binding. */
  pragma(text: string): SqliteRow[] {
    if (!isHarmlessPragma(text)) {
      const binding = bindingOf(this)
      if (binding?.kind !== 'migration') this.#guard.checkText(`PRAGMA ${text}`, binding)
    }
    return this.#database.prepare(`PRAGMA ${text}`).all().map(rowFromSqlite)
  }

  close(): void {
    this.#database.close()
  }
}

class GuardedStatement implements NodeSqliteStatement {
  readonly reader: boolean
  readonly #guard: Guard
  readonly #connection: NodeSqliteConnection
  readonly #statement: StatementSync
  readonly #sql: string

  constructor(guard: Guard, connection: NodeSqliteConnection, statement: StatementSync, sql: string) {
    this.reader = statement.columns().length > 0
    this.#guard = guard
    this.#connection = connection
    this.#statement = statement
    this.#sql = sql
  }

  all(...params: readonly unknown[]): SqliteRow[] {
    const bound = this.#checked(params)
    try {
      return this.#statement.all(...bound).map(rowFromSqlite)
    } catch (error) {
      if (!isIntegerOutOfRange(error)) throw error
      return this.#allWithBigInts(bound)
    }
  }

  run(...params: readonly unknown[]): { changes: number; lastInsertRowid: number | bigint } {
    const { changes, lastInsertRowid } = this.#statement.run(...this.#checked(params))
    return { changes: Number(changes), lastInsertRowid }
  }

  /** TypeORM keeps prepared statements across contexts, so each execution is judged by the binding of its moment. */
  #checked(params: readonly unknown[]): (string | number | bigint | null | Uint8Array)[] {
    this.#guard.check(this.#sql, params, bindingOf(this.#connection))
    return this.#guard.toBindable(params).map((value) => (typeof value === 'boolean' ? Number(value) : value))
  }

  /** Only rows with an integer beyond 2^53 pay for bigints; a statement that returns rows changes nothing when read twice. */
  #allWithBigInts(bound: (string | number | bigint | null | Uint8Array)[]): SqliteRow[] {
    this.#statement.setReadBigInts(true)
    try {
      return this.#statement.all(...bound).map(rowFromSqlite)
    } finally {
      this.#statement.setReadBigInts(false)
    }
  }
}

function isIntegerOutOfRange(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ERR_OUT_OF_RANGE'
}
