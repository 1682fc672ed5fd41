import { afterAll, expect, test } from 'vitest'
import { openMysqlTables } from './engine-tables.ts'
import { expectOutcomes } from './hostile-outcomes.ts'
import { crowd, rowsOf, schemaOf } from './hostile-rows.ts'
import { expectSound, ownedRows, ownedSchema } from './played-statements.ts'

const stack = new AsyncDisposableStack()

afterAll(() => stack[Symbol.asyncDispose]())

test('what the guard calls hostile shows or changes rows of others on MySQL, or is on record as refused or harmless', async () => {
  const alone = await openMysqlTables(stack, schemaOf('mysql'), rowsOf(crowd.slice(0, 1)))
  const crowded = await openMysqlTables(stack, schemaOf('mysql'), rowsOf(crowd))
  const outcomes = await expectOutcomes('mysql', alone, crowded)
  expect(outcomes['shows or changes rows of others']?.length).toBeGreaterThan(70)
}, 120_000)

test('what the guard lets through shows and changes nothing of others on MySQL', async () => {
  const schema = ownedSchema('mysql')
  const alone = await openMysqlTables(stack, schema, ownedRows('own'))
  await expectSound('mysql', alone, await openMysqlTables(stack, schema, ownedRows('everybody')), 800)
}, 120_000)
