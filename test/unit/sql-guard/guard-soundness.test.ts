import { DatabaseSync, type SQLInputValue } from 'node:sqlite'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createGuard } from '../../../src/sql-guard/guard.ts'
import { GuardRefusal } from '../../../src/sql-guard/guard-refusal.ts'
import { OTHER_TENANT, OTHER_WORKSPACE, TABLES, TENANT, TENANT_BINDING, WORKSPACE } from './corpus-binding.ts'

/**
 * Non-interference: whatever statement the guard lets through answers the same whether or not other tenants' rows are
 * in the database. The statements are random and mostly hostile; the oracle is SQLite itself.
 */
const RUNS = 4_000

const guard = await createGuard({ dialect: 'sqlite', tables: TABLES, sink: { refused: () => {} } })

const SCHEMA = `
  CREATE TABLE members (tenant_id TEXT, id TEXT, visits INTEGER);
  CREATE TABLE roles (tenant_id TEXT, id TEXT, visits INTEGER);
  CREATE TABLE notes (tenant_id TEXT, workspace_id TEXT, id TEXT, visits INTEGER);`

function databaseWith(owners: readonly (readonly [string, string])[]): DatabaseSync {
  const database = new DatabaseSync(':memory:')
  database.exec(SCHEMA)
  owners.forEach(([tenant, workspace], owner) => {
    for (const id of ['a', 'b']) {
      for (const table of ['members', 'roles']) {
        database.prepare(`INSERT INTO ${table} VALUES (?, ?, ?)`).run(tenant, id, owner)
      }
      database.prepare('INSERT INTO notes VALUES (?, ?, ?, ?)').run(tenant, workspace, id, owner)
    }
  })
  return database
}

const OWN = [TENANT, WORKSPACE] as const
const alone = databaseWith([OWN])
const crowded = databaseWith([
  OWN,
  [OTHER_TENANT, WORKSPACE],
  [OTHER_TENANT, OTHER_WORKSPACE],
  [TENANT, OTHER_WORKSPACE],
])
// Rows of a tenant-owned table exist once per workspace owner above; the tenant's own must be the same in both.
for (const table of ['members', 'roles']) crowded.exec(`DELETE FROM ${table} WHERE visits = 3`)

interface Generated {
  readonly sql: string
  readonly params: readonly string[]
}

const text = (sql: string): fc.Arbitrary<Generated> => fc.constant({ sql, params: [] })
const glue = (...parts: readonly fc.Arbitrary<Generated>[]): fc.Arbitrary<Generated> =>
  fc
    .tuple(...parts)
    .map((all) => ({ sql: all.map(({ sql }) => sql).join(''), params: all.flatMap(({ params }) => params) }))

const TABLE_NAMES = ['members', 'roles', 'notes'] as const
const aliases = fc.constantFrom('m', 'r', 'n')
const columns = fc.constantFrom('tenant_id', 'tenant_id', 'tenant_id', 'workspace_id', 'id', 'visits')
const column = fc.tuple(aliases, columns, fc.integer({ min: 0, max: 9 })).map(([alias, name, bare]) => ({
  sql: bare === 0 ? name : `${alias}.${name}`,
  params: [],
}))
const parameter = fc
  .constantFrom(TENANT, TENANT, TENANT, WORKSPACE, WORKSPACE, 'a', OTHER_TENANT)
  .map((value) => ({ sql: '?', params: [value] }))
const pin = fc.oneof(
  ...['m', 'r', 'n'].map((alias) => fc.constant({ sql: `${alias}.tenant_id = ?`, params: [TENANT] })),
  fc.constant({ sql: 'n.workspace_id = ?', params: [WORKSPACE] }),
  fc.constant({ sql: 'n.tenant_id = ? AND n.workspace_id = ?', params: [TENANT, WORKSPACE] }),
  fc.tuple(aliases, aliases).map(([a, b]) => ({ sql: `${a}.tenant_id = ${b}.tenant_id`, params: [] })),
)

const { condition } = fc.letrec<{ condition: Generated; atom: Generated }>((tie) => ({
  atom: fc.oneof(
    { weight: 6, arbitrary: pin },
    {
      weight: 2,
      arbitrary: glue(
        column,
        fc.constantFrom(' = ', ' <> ', ' >= ').map((sql) => ({ sql, params: [] })),
        parameter,
      ),
    },
    { weight: 1, arbitrary: glue(column, text(' = '), column) },
    { weight: 1, arbitrary: glue(column, text(' IN ('), parameter, text(', '), parameter, text(')')) },
    { weight: 1, arbitrary: glue(column, text(' IS NULL')) },
    { weight: 1, arbitrary: fc.constantFrom('1 = 1', '1', '0').map((sql) => ({ sql, params: [] })) },
    { weight: 1, arbitrary: glue(text('NOT ('), tie('condition'), text(')')) },
    {
      weight: 1,
      arbitrary: fc.tuple(fc.constantFrom(...TABLE_NAMES), aliases, tie('condition')).map(([table, alias, inner]) => ({
        sql: `EXISTS (SELECT 1 FROM ${table} ${alias} WHERE ${inner.sql})`,
        params: inner.params,
      })),
    },
  ),
  condition: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    { weight: 2, arbitrary: tie('atom') },
    { weight: 4, arbitrary: glue(tie('condition'), text(' AND '), tie('condition')) },
    { weight: 1, arbitrary: glue(tie('condition'), text(' OR '), tie('condition')) },
    { weight: 1, arbitrary: glue(text('('), tie('condition'), text(')')) },
  ),
}))

const joins = fc.constantFrom('JOIN', 'LEFT JOIN', 'INNER JOIN', 'LEFT OUTER JOIN')
const outputs = fc.constantFrom('m.id, m.tenant_id', '*', 'COUNT(*), MAX(m.visits)', 'm.*')
const sources = fc.constantFrom('members m', 'notes m', '(SELECT n.* FROM notes n) m')
const where = glue(text(' WHERE '), condition)
const select: fc.Arbitrary<Generated> = fc.oneof(
  glue(text('SELECT '), outputs.map(plain), text(' FROM '), sources.map(plain), where),
  glue(
    text('SELECT '),
    outputs.map(plain),
    text(' FROM members m '),
    joins.map(plain),
    fc.constantFrom(' roles r ON ', ' notes n ON ').map(plain),
    condition,
    where,
  ),
  glue(
    text('SELECT m.id FROM members m '),
    joins.map(plain),
    text(' roles r ON '),
    condition,
    text(' '),
    joins.map(plain),
    text(' notes n ON '),
    condition,
    where,
  ),
)
const statement = fc.oneof(
  { weight: 5, arbitrary: select },
  { weight: 1, arbitrary: glue(select, text(' UNION ALL '), select) },
)

function plain(sql: string): Generated {
  return { sql, params: [] }
}

function passes({ sql, params }: Generated): boolean {
  try {
    guard.check(sql, params, TENANT_BINDING)
    return true
  } catch (error) {
    if (error instanceof GuardRefusal) return false
    throw error
  }
}

function answer(database: DatabaseSync, { sql, params }: Generated): string | undefined {
  try {
    return JSON.stringify(
      database
        .prepare(sql)
        .all(...(params as SQLInputValue[]))
        .map((row) => JSON.stringify(row))
        .sort(),
    )
  } catch {
    // The engine refuses it: an alias that does not exist, an ambiguous name.
    return undefined
  }
}

test('what the guard lets through reads nothing another tenant or workspace owns', () => {
  let passed = 0
  let compared = 0
  fc.assert(
    fc.property(statement, (generated) => {
      if (!passes(generated)) return
      passed += 1
      const expected = answer(alone, generated)
      if (expected !== undefined) compared += 1
      expect(answer(crowded, generated)).toBe(expected)
    }),
    { numRuns: RUNS, seed: 20_261_122 },
  )
  // A guard that refuses everything would pass this test too.
  expect(passed).toBeGreaterThan(RUNS / 50)
  expect(compared).toBeGreaterThan(RUNS / 50)
})

test('what the guard lets through writes nothing another tenant or workspace owns', () => {
  const others = 'SELECT * FROM members m WHERE m.tenant_id <> ?'
  let changed = 0
  fc.assert(
    fc.property(condition, fc.constantFrom('members', 'notes'), fc.boolean(), (filter, table, remove) => {
      const body = filter.sql.replaceAll(/\b[mrn]\./g, `${table}.`)
      const sql = remove
        ? `DELETE FROM ${table} WHERE ${body}`
        : `UPDATE ${table} SET visits = visits + 1 WHERE ${body}`
      if (!passes({ sql, params: filter.params })) return
      crowded.exec('BEGIN')
      try {
        const before = foreignRows(others)
        changed += Number(crowded.prepare(sql).run(...(filter.params as SQLInputValue[])).changes)
        expect(foreignRows(others)).toBe(before)
      } catch (error) {
        if (!(error instanceof Error && 'errcode' in error)) throw error
      } finally {
        crowded.exec('ROLLBACK')
      }
    }),
    { numRuns: RUNS, seed: 20_261_122 },
  )
  expect(changed).toBeGreaterThan(0)
})

function foreignRows(others: string): string {
  const members = crowded.prepare(others).all(TENANT)
  const notes = crowded.prepare('SELECT * FROM notes WHERE tenant_id <> ? OR workspace_id <> ?').all(TENANT, WORKSPACE)
  return JSON.stringify([members, notes])
}
