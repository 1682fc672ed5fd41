import { DatabaseSync } from 'node:sqlite'
import { createConnection, type RowDataPacket } from 'mysql2/promise'
import { mysqlAdministrator } from './test-database.ts'

export type StoredValue = string | number | null | Uint8Array
export type StoredRow = Readonly<Record<string, unknown>>

/**
 * A way to the rows that no guard watches: for what a thief, a crash or another process would have done. Statements are
 * of the subset both engines read. Bytes come as Uint8Array, times as text, numbers as numbers.
 */
export interface SideDoor extends AsyncDisposable {
  all(sql: string, values?: readonly StoredValue[]): Promise<readonly StoredRow[]>
  run(sql: string, values?: readonly StoredValue[]): Promise<void>
  /** The columns of every table. */
  tables(): Promise<ReadonlyMap<string, readonly string[]>>
  /** Changes with every commit of anybody else. */
  commitMark(): Promise<string>
}

export async function openSideDoor(url: string): Promise<SideDoor> {
  return url.startsWith('sqlite:') ? sqliteSideDoor(url.slice('sqlite:'.length)) : mysqlSideDoor(databaseIn(url))
}

function databaseIn(url: string): string {
  return new URL(url).pathname.slice(1)
}

function sqliteSideDoor(file: string): SideDoor {
  const database = new DatabaseSync(file)
  const all: SideDoor['all'] = async (sql, values = []) => database.prepare(sql).all(...values)
  return {
    all,
    async run(sql, values = []) {
      database.prepare(sql).run(...values)
    },
    async tables() {
      const columns = `SELECT t.name AS name, c.name AS held FROM sqlite_master t, pragma_table_info(t.name) c
        WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%' ORDER BY t.name, c.cid`
      return grouped(await all(columns))
    },
    commitMark: async () => JSON.stringify(await all('PRAGMA data_version')),
    async [Symbol.asyncDispose]() {
      database.close()
    },
  }
}

async function mysqlSideDoor(database: string): Promise<SideDoor> {
  const connection = await createConnection({
    ...mysqlAdministrator(),
    database,
    dateStrings: true,
    jsonStrings: true,
    supportBigNumbers: true,
  })
  const all: SideDoor['all'] = async (sql, values = []) =>
    (await connection.query<RowDataPacket[]>(sql, [...values]))[0]
  return {
    all,
    async run(sql, values = []) {
      await connection.query(sql, [...values])
    },
    async tables() {
      const columns = `SELECT table_name AS name, column_name AS held FROM information_schema.columns
        WHERE table_schema = ? ORDER BY table_name, ordinal_position`
      return grouped(await all(columns, [database]))
    },
    async commitMark() {
      const counters =
        'SELECT name, modified_counter, autoinc FROM information_schema.innodb_tablestats WHERE name LIKE ?'
      return JSON.stringify(await all(counters, [`${database}/%`]))
    },
    [Symbol.asyncDispose]: () => connection.end(),
  }
}

function grouped(rows: readonly StoredRow[]): Map<string, string[]> {
  const tables = new Map<string, string[]>()
  for (const { name, held } of rows) {
    const columns = tables.get(String(name)) ?? []
    columns.push(String(held))
    tables.set(String(name), columns)
  }
  return tables
}
