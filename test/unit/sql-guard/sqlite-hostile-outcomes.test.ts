import { DatabaseSync } from 'node:sqlite'
import { expect, test } from 'vitest'
import { expectOutcomes } from './hostile-outcomes.ts'
import { crowd, type OpenTables, rowsOf, schemaOf } from './hostile-rows.ts'

function tablesWith(rows: ReturnType<typeof rowsOf>): OpenTables {
  const database = new DatabaseSync(':memory:', { enableDoubleQuotedStringLiterals: false })
  for (const sql of schemaOf('sqlite')) database.exec(sql)
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

test('what the guard calls hostile shows or changes rows of others on SQLite, or is on record as refused or harmless', async () => {
  const outcomes = await expectOutcomes('sqlite', tablesWith(rowsOf(crowd.slice(0, 1))), tablesWith(rowsOf(crowd)))
  expect(outcomes['shows or changes rows of others']?.length).toBeGreaterThan(50)
})
