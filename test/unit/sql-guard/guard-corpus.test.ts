import { describe, expect, test } from 'vitest'
import { createGuard, type Guard } from '../../../src/sql-guard/guard.ts'
import { GuardRefusal } from '../../../src/sql-guard/guard-refusal.ts'
import type { GuardDialect } from '../../../src/sql-guard/guard-types.ts'
import { CORPUS, type CorpusVerdict, HOSTILE } from './corpus.ts'
import { paramsOf, TABLES } from './corpus-binding.ts'

const sink = { refused: () => {} }
const guards: Record<GuardDialect, Guard> = {
  sqlite: await createGuard({ dialect: 'sqlite', tables: TABLES, sink }),
  mysql: await createGuard({ dialect: 'mysql', tables: TABLES, sink }),
}

function refusalOf(entry: CorpusVerdict): string | undefined {
  try {
    guards[entry.dialect].check(entry.sql, paramsOf(entry), entry.binding)
    return undefined
  } catch (error) {
    return error instanceof GuardRefusal ? error.reason : `not a refusal: ${String(error)}`
  }
}

describe('every honest statement passes', () => {
  test.each(CORPUS.filter(({ refusal }) => refusal === undefined))('$name', (entry) => {
    expect(refusalOf(entry)).toBeUndefined()
  })
})

describe('every hostile statement is refused for its own reason', () => {
  test.each(HOSTILE)('$refusal: $name', (entry) => {
    expect(refusalOf(entry)).toBe(entry.refusal)
  })
})

test('the corpus is large enough to mean something', () => {
  expect(CORPUS.length - HOSTILE.length).toBeGreaterThanOrEqual(100)
  expect(HOSTILE.length).toBeGreaterThanOrEqual(500)
})
