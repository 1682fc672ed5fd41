import { DatabaseSync } from 'node:sqlite'
import { createConnection, type RowDataPacket } from 'mysql2/promise'
import { mysqlAdministrator } from '../../support/test-database.ts'
import type { Cell, OpenTables } from './hostile-rows.ts'

interface Row {
  readonly sql: string
  readonly values: readonly Cell[]
}

/** Tables in memory, behind no guard, in a transaction that never commits. */
export function openSqliteTables(schema: readonly string[], rows: readonly Row[]): OpenTables {
  const database = new DatabaseSync(':memory:', { enableDoubleQuotedStringLiterals: false })
  for (const sql of schema) database.exec(sql)
  for (const { sql, values } of rows) database.prepare(sql).run(...values)
  database.exec('BEGIN')
  return {
    run: async (sql, params) => database.prepare(sql).all(...params),
    async undo() {
      database.exec('ROLLBACK')
      database.exec('BEGIN')
    },
  }
}

/** The same in a database of its own in the MySQL of this run; the stack ends both. */
export async function openMysqlTables(
  stack: AsyncDisposableStack,
  schema: readonly string[],
  rows: readonly Row[],
): Promise<OpenTables> {
  const database = `tables_${crypto.randomUUID().slice(0, 8)}`
  const connection = await createConnection({ ...mysqlAdministrator() })
  stack.defer(() => connection.end())
  await connection.query(`CREATE DATABASE ${database}`)
  stack.defer(async () => void (await connection.query(`DROP DATABASE ${database}`)))
  await connection.query(`USE ${database}`)
  for (const sql of schema) await connection.query(sql)
  for (const { sql, values } of rows) await connection.query(sql, [...values])
  await connection.query('START TRANSACTION')
  return {
    async run(sql, params) {
      const [found] = await connection.query<RowDataPacket[]>(sql, [...params])
      return Array.isArray(found) ? found : []
    },
    async undo() {
      await connection.query('ROLLBACK')
      await connection.query('START TRANSACTION')
    },
  }
}
