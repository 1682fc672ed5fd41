import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import type { GuardDialect } from '../../../src/sql-guard/guard-types.ts'
import { type OpenTables, type Outcome, outcomeOf, playable } from './hostile-rows.ts'

type Outcomes = Partial<Record<Outcome, string[]>>

/**
 * Plays the hostile corpus on a real engine and compares with what is on record: an entry that is said to leak does leak,
 * and one that cannot is known to be refused out of caution.
 */
export async function expectOutcomes(dialect: GuardDialect, alone: OpenTables, crowded: OpenTables): Promise<Outcomes> {
  const outcomes: Outcomes = {}
  for (const entry of playable(dialect)) {
    const outcome = await outcomeOf(alone, crowded, entry)
    const statements = outcomes[outcome] ?? []
    statements.push(entry.sql)
    outcomes[outcome] = statements
  }
  const file = join(import.meta.dirname, `hostile-outcomes-${dialect}.json`)
  if (process.env.UPDATE_STATEMENTS === '1') writeFileSync(file, `${JSON.stringify(outcomes, undefined, 2)}\n`)
  expect(outcomes, 'an engine answers otherwise than on record: make record-statements, and read what differs').toEqual(
    JSON.parse(readFileSync(file, 'utf8')),
  )
  return outcomes
}
