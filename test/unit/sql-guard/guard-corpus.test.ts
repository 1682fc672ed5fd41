import { describe, expect, test } from 'vitest'
import { createGuard } from '../../../src/sql-guard/guard.ts'
import { GuardRefusal } from '../../../src/sql-guard/guard-refusal.ts'
import { CORPUS, type CorpusVerdict, HOSTILE } from './corpus.ts'
import { paramsOf, TABLES } from './corpus-binding.ts'

/** Each by a guard of its own: a verdict that an entry before it has left behind would say nothing of this one. */
async function refusalOf(entry: CorpusVerdict): Promise<string | undefined> {
  const guard = await createGuard({ dialect: entry.dialect, tables: TABLES, sink: { refused: () => {} } })
  try {
    guard.check(entry.sql, paramsOf(entry), entry.binding)
    return undefined
  } catch (error) {
    return error instanceof GuardRefusal ? error.reason : `not a refusal: ${String(error)}`
  }
}

describe('every honest statement passes', () => {
  test.each(CORPUS.filter(({ refusal }) => refusal === undefined))('$name', async (entry) => {
    expect(await refusalOf(entry)).toBeUndefined()
  })
})

describe('every hostile statement is refused for its own reason', () => {
  test.each(HOSTILE)('$refusal: $name', async (entry) => {
    expect(await refusalOf(entry)).toBe(entry.refusal)
  })
})

test('the corpus is large enough to mean something', () => {
  expect(CORPUS.length - HOSTILE.length).toBeGreaterThanOrEqual(100)
  expect(HOSTILE.length).toBeGreaterThanOrEqual(500)
})
