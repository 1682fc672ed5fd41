import { describe, expect, test } from 'vitest'
import type { GuardDialect } from '../../../src/sql-guard/guard-types.ts'
import { guardedTables } from '../../../src/tables.ts'
import { OTHER_TENANT, OTHER_WORKSPACE, TENANT_BINDING } from './corpus-binding.ts'
import {
  admittedTo,
  everyBinding,
  guardOfProduct,
  type RecordedVerdict,
  readRecorded,
  refusalOf,
  valuesOf,
} from './recorded-corpus.ts'

const dialects: readonly GuardDialect[] = ['sqlite', 'mysql']
const guards = { sqlite: await guardOfProduct('sqlite'), mysql: await guardOfProduct('mysql') }

/** A statement that names a table of a workspace's own rows. */
const workspaceTables = [...guardedTables().tenantTables].flatMap(([table, pins]) => (pins.length === 2 ? [table] : []))
const ofWorkspace = new RegExp(`(?:FROM|INTO|UPDATE) ["\`]?(?:${workspaceTables.join('|')})\\b`)

/** The values with one of them of somebody else. */
function foreignAt({ parameters }: RecordedVerdict, letter: string, foreign: string): string[][] {
  const values = valuesOf(parameters)
  return [...parameters].flatMap((each, at) => (each === letter ? [values.with(at, foreign)] : []))
}

describe.each(dialects)('what the stores say to %s', (dialect) => {
  const guard = guards[dialect]
  const statements = readRecorded(dialect).map((each) => ({ ...each, name: `${each.sql} [${each.parameters}]` }))

  test('is recorded', () => {
    expect(statements.length).toBeGreaterThan(200)
    expect(new Set(statements.map(({ name }) => name)).size).toBe(statements.length)
    for (const { ran } of statements) for (const binding of ran) expect([...everyBinding.keys()]).toContain(binding)
  })

  test.each(statements)('passes under its own bindings and those on record: $name', (statement) => {
    expect(admittedTo(guard, statement).sort()).toEqual([...statement.ran, ...statement.admitted].sort())
    expect(statement.ran.length).toBeGreaterThan(0)
  })

  const ofTenants = statements.filter(({ ran }) => ran.some((name) => !name.startsWith('platform ')))

  test.each(ofTenants)('is refused with another tenant in the place of its own: $name', (statement) => {
    const attempts = foreignAt(statement, 'T', OTHER_TENANT)
    expect(attempts.length).toBeGreaterThan(0)
    for (const name of statement.ran.filter((each) => !each.startsWith('platform '))) {
      for (const values of attempts) {
        expect(refusalOf(guard, statement.sql, values, everyBinding.get(name))).toBe('foreign-tenant')
      }
    }
  })

  const ofWorkspaces = ofTenants.filter(({ ran, sql }) => ran.includes('tenant') && ofWorkspace.test(sql))

  test.each(ofWorkspaces)('is refused with another workspace in the place of its own: $name', (statement) => {
    const attempts = foreignAt(statement, 'W', OTHER_WORKSPACE)
    expect(attempts.length).toBeGreaterThan(0)
    for (const values of attempts) {
      expect(refusalOf(guard, statement.sql, values, TENANT_BINDING)).toBe('foreign-workspace')
    }
  })
})
