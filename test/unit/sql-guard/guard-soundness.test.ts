import { DatabaseSync, type SQLInputValue } from 'node:sqlite'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createGuard } from '../../../src/sql-guard/guard.ts'
import { GuardRefusal } from '../../../src/sql-guard/guard-refusal.ts'
import { OTHER_TENANT, OTHER_WORKSPACE, T, TABLES, TENANT_BINDING, W } from './corpus-binding.ts'

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

const OWN = [T, W] as const
const alone = databaseWith([OWN])
const crowded = databaseWith([OWN, [OTHER_TENANT, W], [OTHER_TENANT, OTHER_WORKSPACE], [T, OTHER_WORKSPACE]])
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

/** Own values mostly, so that a statement that is refused is refused for its shape. */
const parameter = fc.constantFrom(T, T, T, W, 'a', OTHER_TENANT).map((value) => ({ sql: '?', params: [value] }))

function pinsOf(aliases: readonly string[]): fc.Arbitrary<Generated> {
  const tenant = fc.constantFrom(...aliases).map((alias) => ({ sql: `${alias}.tenant_id = ?`, params: [T] }))
  const equal = fc
    .tuple(fc.constantFrom(...aliases), fc.constantFrom(...aliases))
    .map(([a, b]) => plain(`${a}.tenant_id = ${b}.tenant_id`))
  const workspace = fc.constant({ sql: 'n.workspace_id = ?', params: [W] })
  return aliases.includes('n') ? fc.oneof(tenant, equal, workspace, workspace) : fc.oneof(tenant, tenant, equal)
}

/** Conditions over the given aliases: pins, near-pins, and everything an attacker would put beside them. */
function conditionOver(aliases: readonly string[]): fc.Arbitrary<Generated> {
  const column = fc
    .tuple(fc.constantFrom(...aliases), fc.constantFrom('tenant_id', 'id', 'visits'), fc.integer({ min: 0, max: 19 }))
    .map(([alias, name, bare]) => plain(bare === 0 ? name : `${alias}.${name}`))
  const compared = glue(column, fc.constantFrom(' = ', ' <> ', ' >= ').map(plain), fc.oneof(parameter, column))
  const { condition } = fc.letrec<{ condition: Generated; atom: Generated }>((tie) => ({
    atom: fc.oneof(
      { weight: 8, arbitrary: pinsOf(aliases) },
      { weight: 2, arbitrary: compared },
      { weight: 1, arbitrary: glue(column, text(' IN ('), parameter, text(', '), parameter, text(')')) },
      { weight: 1, arbitrary: glue(column, text(' IS NULL')) },
      { weight: 1, arbitrary: fc.constantFrom('1 = 1', '1', '0').map(plain) },
      { weight: 1, arbitrary: glue(text('NOT ('), tie('condition'), text(')')) },
      {
        weight: 1,
        arbitrary: glue(
          text('EXISTS (SELECT 1 FROM roles x WHERE x.tenant_id = ? AND '),
          tie('condition'),
          text(')'),
        ).map(withOwnTenantFirst),
      },
      { weight: 1, arbitrary: glue(text('EXISTS (SELECT 1 FROM roles x WHERE '), tie('condition'), text(')')) },
    ),
    condition: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      { weight: 2, arbitrary: tie('atom') },
      { weight: 5, arbitrary: glue(tie('condition'), text(' AND '), tie('condition')) },
      { weight: 1, arbitrary: glue(tie('condition'), text(' OR '), tie('condition')) },
      { weight: 1, arbitrary: glue(text('('), tie('condition'), text(')')) },
    ),
  }))
  return condition
}

function withOwnTenantFirst({ sql, params }: Generated): Generated {
  return { sql, params: [T, ...params] }
}

const join = fc.constantFrom(' JOIN ', ' LEFT JOIN ', ' INNER JOIN ', ' LEFT OUTER JOIN ').map(plain)
const outputs = fc.constantFrom('m.id, m.tenant_id', 'COUNT(*), MAX(m.visits)', 'm.*').map(plain)
const one = conditionOver(['m'])
const note = conditionOver(['n'])
const withRole = conditionOver(['m', 'r'])
const withNote = conditionOver(['m', 'n'])
const all = conditionOver(['m', 'r', 'n'])
const derived = glue(text('SELECT d.* FROM (SELECT m.* FROM members m WHERE '), one, text(') d'))
const select: fc.Arbitrary<Generated> = fc.oneof(
  glue(text('SELECT '), outputs, text(' FROM members m WHERE '), one),
  glue(text('SELECT n.id, n.visits FROM notes n WHERE '), note),
  glue(
    text('SELECT '),
    outputs,
    text(' FROM members m'),
    join,
    text('roles r ON '),
    withRole,
    text(' WHERE '),
    withRole,
  ),
  glue(
    text('SELECT '),
    outputs,
    text(' FROM members m'),
    join,
    text('notes n ON '),
    withNote,
    text(' WHERE '),
    withNote,
  ),
  glue(
    text('SELECT m.id, r.visits, n.visits FROM members m'),
    join,
    text('roles r ON '),
    withRole,
    join,
    text('notes n ON '),
    all,
    text(' WHERE '),
    all,
  ),
  glue(derived, text(' WHERE d.visits >= 0')),
)
const statement = fc.oneof(
  { weight: 6, arbitrary: select },
  { weight: 1, arbitrary: glue(select, text(' UNION ALL '), select) },
)
const condition = fc.oneof(one, note)

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
  expect(passed).toBeGreaterThan(RUNS / 20)
  expect(compared).toBeGreaterThan(RUNS / 20)
})

test('what the guard lets through writes nothing another tenant or workspace owns', () => {
  const others = 'SELECT * FROM members m WHERE m.tenant_id <> ?'
  let changed = 0
  fc.assert(
    fc.property(condition, fc.constantFrom('members', 'notes'), fc.boolean(), (filter, table, remove) => {
      const body = filter.sql.replaceAll(/\b[mn]\./g, `${table}.`)
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
  const members = crowded.prepare(others).all(T)
  const notes = crowded.prepare('SELECT * FROM notes WHERE tenant_id <> ? OR workspace_id <> ?').all(T, W)
  return JSON.stringify([members, notes])
}
