import { DatabaseSync } from 'node:sqlite'
import type { SqliteConnectionLike, SqliteStatementLike } from '../../../../src/sdk/guard/guarded-sqlite-driver.ts'

/** A driver with the face of better-sqlite3 over Node's own SQLite: what a service would install is not among our packages. */
export class SqliteDatabase implements SqliteConnectionLike {
  readonly #database: DatabaseSync

  constructor(path: string) {
    this.#database = new DatabaseSync(path)
  }

  get inTransaction(): boolean {
    return this.#database.isTransaction
  }

  prepare(sql: string): SqliteStatementLike {
    const statement = this.#database.prepare(sql)
    return {
      reader: statement.columns().length > 0,
      all: (...params) => statement.all(...(params as never[])),
      run: (...params) => {
        const { changes, lastInsertRowid } = statement.run(...(params as never[]))
        return { changes: Number(changes), lastInsertRowid }
      },
    }
  }

  exec(sql: string): void {
    this.#database.exec(sql)
  }

  pragma(text: string): unknown {
    return this.#database.prepare(`PRAGMA ${text}`).all()
  }

  close(): void {
    this.#database.close()
  }
}
