import { expect, test } from 'vitest'
import { openSqliteTables } from './engine-tables.ts'
import { expectOutcomes } from './hostile-outcomes.ts'
import { crowd, rowsOf, schemaOf } from './hostile-rows.ts'
import { expectSound, ownedRows, ownedSchema } from './played-statements.ts'

test('what the guard calls hostile shows or changes rows of others on SQLite, or is on record as refused or harmless', async () => {
  const [alone, crowded] = [crowd.slice(0, 1), crowd].map((owners) =>
    openSqliteTables(schemaOf('sqlite'), rowsOf(owners)),
  )
  if (alone === undefined || crowded === undefined) throw new Error('the tables are not there')
  const outcomes = await expectOutcomes('sqlite', alone, crowded)
  expect(outcomes['shows or changes rows of others']?.length).toBeGreaterThan(50)
}, 120_000)

test('what the guard lets through shows and changes nothing of others on SQLite', async () => {
  const schema = ownedSchema('sqlite')
  const alone = openSqliteTables(schema, ownedRows('own'))
  await expectSound('sqlite', alone, openSqliteTables(schema, ownedRows('everybody')), 2_000)
}, 120_000)
