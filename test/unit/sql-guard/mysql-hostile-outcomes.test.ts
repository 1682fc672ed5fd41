import { createConnection, type RowDataPacket } from 'mysql2/promise'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { mysqlAdministrator } from '../../support/test-database.ts'
import { expectOutcomes } from './hostile-outcomes.ts'
import { crowd, type OpenTables, rowsOf, schemaOf } from './hostile-rows.ts'

const stack = new AsyncDisposableStack()
const databases: OpenTables[] = []

beforeAll(async () => {
  for (const owners of [crowd.slice(0, 1), crowd]) databases.push(await tablesWith(rowsOf(owners)))
}, 60_000)

afterAll(() => stack[Symbol.asyncDispose]())

async function tablesWith(rows: ReturnType<typeof rowsOf>): Promise<OpenTables> {
  const database = `hostile_${crypto.randomUUID().slice(0, 8)}`
  const connection = await createConnection({ ...mysqlAdministrator() })
  stack.defer(() => connection.end())
  await connection.query(`CREATE DATABASE ${database}`)
  stack.defer(async () => void (await connection.query(`DROP DATABASE ${database}`)))
  await connection.query(`USE ${database}`)
  for (const sql of schemaOf('mysql')) await connection.query(sql)
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

test('what the guard calls hostile shows or changes rows of others on MySQL, or is on record as refused or harmless', async () => {
  const [alone, crowded] = databases
  if (alone === undefined || crowded === undefined) throw new Error('the tables are not there')
  const outcomes = await expectOutcomes('mysql', alone, crowded)
  expect(outcomes['shows or changes rows of others']?.length).toBeGreaterThan(70)
}, 60_000)
