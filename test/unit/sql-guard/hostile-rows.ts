import type { GuardDialect } from '../../../src/sql-guard/guard-types.ts'
import { type CorpusVerdict, HOSTILE } from './corpus.ts'
import { OTHER_TENANT, OTHER_WORKSPACE, paramsOf, T, W } from './corpus-binding.ts'

/** What an engine does with a statement that the guard refuses. */
export type Outcome = 'shows or changes rows of others' | 'refused by the engine' | 'harmless on these rows'

export type Cell = string | number | null

/** A database with the tables of the corpus, behind no guard. Every statement is undone before the next. */
export interface OpenTables {
  /** Fails as the engine fails. */
  run(sql: string, params: readonly Cell[]): Promise<readonly object[]>
  undo(): Promise<void>
}

const text = { sqlite: 'TEXT', mysql: 'VARCHAR(64)' } as const
const columns = {
  members: ['tenant_id', 'id', 'name', 'role_id', 'plan_id', 'body', 'photo'],
  roles: ['tenant_id', 'id', 'name', 'owner'],
  notes: ['tenant_id', 'workspace_id', 'id', 'body', 'name', 'member_id'],
  secrets: ['tenant_id', 'workspace_id', 'id', 'name'],
  events: ['tenant_id', 'id'],
  cells: ['id', 'name', 'plan_id'],
  plans: ['id', 'name'],
} as const
type Table = keyof typeof columns
const tables = Object.keys(columns) as Table[]

/** No key but the one that upserts of the corpus name, and that one without the tenant: the schema must not do the guard's work. */
export function schemaOf(dialect: GuardDialect): string[] {
  return tables.map((table) => {
    const key = table === 'members' || table === 'events' ? ', UNIQUE (id)' : ''
    const typed = columns[table].map((column) => `${column} ${text[dialect]}`)
    return `CREATE TABLE ${table} (${[...typed, `visits ${dialect === 'mysql' ? 'INT' : 'INTEGER'} DEFAULT 0`].join(', ')}${key})`
  })
}

interface Row {
  readonly table: Table
  readonly sql: string
  readonly values: readonly Cell[]
}

/**
 * Two rows a table of each owner. What an attacker binds is the context's own tenant, so one row of each of the others says
 * that in every column but its keys: a condition that looks at anything else finds it.
 */
export function rowsOf(owners: readonly (readonly [tenant: string, workspace: string])[]): Row[] {
  return owners.flatMap(([tenant, workspace], owner) =>
    tables.flatMap((table) =>
      [0, 1].map((n) => {
        const value = (column: string): Cell => {
          if (column === 'tenant_id') return tenant
          if (column === 'workspace_id') return workspace
          if (column === 'id') return n === 0 && owner === 1 ? T : `${owner}-${n}`
          return n === 0 ? T : `${owner}-${column}`
        }
        const marks = [...columns[table], 'visits'].map(() => '?').join(', ')
        return {
          table,
          sql: `INSERT INTO ${table} VALUES (${marks})`,
          values: [...columns[table].map(value), owner + 1],
        }
      }),
    ),
  )
}

export const crowd: readonly (readonly [string, string])[] = [
  [T, W],
  [OTHER_TENANT, W],
  [OTHER_TENANT, OTHER_WORKSPACE],
]

/** Those that read or write rows, bound to the context's own tenant throughout: nothing that stops, locks or sleeps. */
export function playable(dialect: GuardDialect): CorpusVerdict[] {
  const statements = HOSTILE.filter(
    (entry) =>
      entry.dialect === dialect &&
      entry.params === undefined &&
      entry.binding.kind === 'tenant' &&
      /^(?:SELECT|WITH|UPDATE|DELETE|INSERT|REPLACE|TABLE|HANDLER)\b/.test(entry.sql) &&
      !/SLEEP|benchmark|load_extension|LOAD_FILE|OUTFILE|GET_LOCK|RECURSIVE|WAIT/i.test(entry.sql),
  )
  return [...new Map(statements.map((entry) => [entry.sql, entry])).values()]
}

/** Plays one statement over own rows alone and among those of others, and tells what came of it. */
export async function outcomeOf(alone: OpenTables, crowded: OpenTables, entry: CorpusVerdict): Promise<Outcome> {
  const params = paramsOf(entry) as readonly Cell[]
  const before = await foreignRows(crowded)
  const answers: string[] = []
  try {
    for (const database of [alone, crowded]) {
      try {
        const rows = await database.run(entry.sql, params)
        answers.push(JSON.stringify(rows.map((row) => JSON.stringify(row)).sort()))
        if (database === crowded && (await foreignRows(crowded)) !== before) return 'shows or changes rows of others'
      } finally {
        await database.undo()
      }
    }
  } catch {
    return 'refused by the engine'
  }
  return answers[0] === answers[1] ? 'harmless on these rows' : 'shows or changes rows of others'
}

/** Rows of anybody else, of nobody too. */
async function foreignRows(database: OpenTables): Promise<string> {
  const found = await Promise.all(
    tables
      .filter((table) => columns[table].some((column) => column === 'tenant_id'))
      .map((table) => database.run(`SELECT * FROM ${table} WHERE tenant_id <> ? OR tenant_id IS NULL`, [T])),
  )
  return JSON.stringify(found)
}
