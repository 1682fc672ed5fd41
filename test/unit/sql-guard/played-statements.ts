import { expect } from 'vitest'
import { createGuard } from '../../../src/sql-guard/guard.ts'
import { GuardRefusal } from '../../../src/sql-guard/guard-refusal.ts'
import type { GuardDialect } from '../../../src/sql-guard/guard-types.ts'
import { OTHER_TENANT, OTHER_WORKSPACE, T, TABLES, TENANT_BINDING, W } from './corpus-binding.ts'
import type { Cell, OpenTables } from './hostile-rows.ts'
import { drawsFrom } from './known-conditions.ts'
import { drawStatement } from './known-statements.ts'

interface Row {
  readonly sql: string
  readonly values: readonly Cell[]
}

const owners = [
  [T, W],
  [OTHER_TENANT, W],
  [OTHER_TENANT, OTHER_WORKSPACE],
  [T, OTHER_WORKSPACE],
] as const

/** Tables with the keys that the product's have: each begins with its owner. */
export function ownedSchema(dialect: GuardDialect): string[] {
  const text = dialect === 'mysql' ? 'VARCHAR(64)' : 'TEXT'
  const number = dialect === 'mysql' ? 'INT' : 'INTEGER'
  const rest = `id ${text}, name ${text}, visits ${number}`
  return [
    ...['members', 'roles'].map(
      (table) => `CREATE TABLE ${table} (tenant_id ${text}, ${rest}, PRIMARY KEY (tenant_id, id))`,
    ),
    `CREATE TABLE notes (tenant_id ${text}, workspace_id ${text}, ${rest}, PRIMARY KEY (tenant_id, workspace_id, id))`,
  ]
}

/** The same ids in every place, so that whoever forgets the key meets the rows of others. */
export function ownedRows(whose: 'own' | 'everybody'): Row[] {
  return owners.slice(0, whose === 'own' ? 1 : owners.length).flatMap(([tenant, workspace], owner) =>
    ['a', 'b', 'new-0'].flatMap((id) => [
      // A table of the tenant has its rows once, whatever its workspaces.
      ...(owner === 2 || owner === 3
        ? []
        : ['members', 'roles'].map((table) => ({
            sql: `INSERT INTO ${table} VALUES (?, ?, ?, ?)`,
            values: [tenant, id, id, owner],
          }))),
      { sql: 'INSERT INTO notes VALUES (?, ?, ?, ?, ?)', values: [tenant, workspace, id, id, owner] },
    ]),
  )
}

/**
 * Plays what the guard lets through on a real engine: it answers as if nobody else were there, and what belongs to others
 * stays as it was.
 */
export async function expectSound(
  dialect: GuardDialect,
  alone: OpenTables,
  crowded: OpenTables,
  runs: number,
): Promise<void> {
  const guard = await createGuard({ dialect, tables: TABLES, sink: { refused: () => undefined } })
  const draw = drawsFrom(runs)
  const before = await foreignRows(crowded)
  const played = { read: 0, changed: 0 }
  for (let run = 0; run < runs; run += 1) {
    const { sql, params } = drawStatement(draw, dialect)
    try {
      guard.check(sql, params, TENANT_BINDING)
    } catch (error) {
      if (error instanceof GuardRefusal) continue
      throw error
    }
    const expected = await answerOf(alone, sql, params)
    const answer = await answerOf(crowded, sql, params)
    expect(answer, sql).toBe(expected)
    if (expected === undefined) continue
    if (/^(?:UPDATE|DELETE|INSERT)/.test(sql)) {
      await crowded.run(sql, params)
      expect(await foreignRows(crowded), sql).toBe(before)
      await crowded.undo()
      played.changed += 1
    } else played.read += 1
  }
  // A guard that refuses everything would pass this test too.
  expect(played.read).toBeGreaterThan(runs / 5)
  expect(played.changed).toBeGreaterThan(runs / 8)
}

/** Rows in any order; undefined where the engine fails it: a key that is there already, a value that may not be. */
async function answerOf(database: OpenTables, sql: string, params: readonly string[]): Promise<string | undefined> {
  try {
    const rows = await database.run(sql, params)
    return JSON.stringify(rows.map((row) => JSON.stringify(row)).sort())
  } catch {
    return undefined
  } finally {
    await database.undo()
  }
}

async function foreignRows(database: OpenTables): Promise<string> {
  const found = []
  for (const table of ['members', 'roles', 'notes']) {
    const others = table === 'notes' ? ' OR workspace_id <> ?' : ''
    const params = table === 'notes' ? [T, W] : [T]
    const order = table === 'notes' ? 'tenant_id, workspace_id, id' : 'tenant_id, id'
    found.push(await database.run(`SELECT * FROM ${table} WHERE tenant_id <> ?${others} ORDER BY ${order}`, params))
  }
  return JSON.stringify(found)
}
