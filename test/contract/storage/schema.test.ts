import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { EntitySchema, EntitySchemaColumnOptions } from 'typeorm'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { systemClock } from '../../../src/base/clock.ts'
import { migrateSqlite, sqliteMigrationStatus } from '../../../src/storage/sqlite/migrate-sqlite.ts'
import { cellTables, directoryTables } from '../../../src/tables.ts'

let folder: string
let database: DatabaseSync

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tenure-schema-'))
  migrateSqlite(join(folder, 'tenure.db'), systemClock)
  database = new DatabaseSync(join(folder, 'tenure.db'))
})

afterAll(() => {
  database.close()
  rmSync(folder, { recursive: true, force: true })
})

interface Column {
  readonly name: string
  readonly type: string
  readonly nullable: boolean
  readonly key: number
}

function migrated(table: string): Column[] {
  const rows = database.prepare(`SELECT name, type, "notnull" AS required, pk FROM pragma_table_info('${table}')`).all()
  return rows
    .map((row) => ({
      name: String(row.name),
      type: String(row.type).toLowerCase(),
      nullable: row.required === 0,
      key: Number(row.pk),
    }))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
}

function declared(table: EntitySchema): Column[] {
  let key = 0
  return Object.entries(table.options.columns as Record<string, EntitySchemaColumnOptions>)
    .map(([property, column]) => {
      if (column.primary === true) key += 1
      const length = column.type === 'varchar' ? `(${column.length})` : ''
      return {
        name: column.name ?? property,
        type: `${String(column.type)}${length}`,
        nullable: column.nullable === true,
        key: column.primary === true ? key : 0,
      }
    })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
}

const tables = [...cellTables, ...directoryTables]

test.each(tables.map((table) => [table.options.tableName ?? table.options.name, table] as const))(
  'the migrated table %s is the declared one',
  (name, table) => {
    expect(migrated(name)).toEqual(declared(table))
  },
)

test.each(tables.map((table) => [table.options.tableName ?? table.options.name, table] as const))(
  'the indices of %s are the declared ones',
  (name, table) => {
    const rows = database
      .prepare(`SELECT name, "unique" AS is_unique FROM pragma_index_list('${name}') WHERE origin = 'c'`)
      .all()
    const columns = table.options.columns as Record<string, EntitySchemaColumnOptions>
    const found = rows.map((row) => ({
      name: row.name,
      unique: row.is_unique === 1,
      columns: database
        .prepare(`SELECT name FROM pragma_index_info('${String(row.name)}') ORDER BY seqno`)
        .all()
        .map((each) => each.name),
    }))
    const wanted = (table.options.indices ?? []).map((index) => ({
      name: index.name,
      unique: index.unique === true,
      columns: (index.columns as string[]).map((property) => columns[property]?.name ?? property),
    }))
    const byName = (a: { name?: unknown }, b: { name?: unknown }) => (String(a.name) < String(b.name) ? -1 : 1)
    expect(found.sort(byName)).toEqual(wanted.sort(byName))
  },
)

test('every key of a tenant table begins with tenant_id, but for the feed id that orders the journal', () => {
  for (const table of cellTables) {
    const name = table.options.tableName ?? table.options.name
    const first = migrated(name).find(({ key }) => key === 1)?.name
    expect([name, first]).toEqual([name, name === 'journal' ? 'feed_id' : 'tenant_id'])
    for (const index of table.options.indices ?? []) {
      if (index.unique === true) expect([name, (index.columns as string[])[0]]).toEqual([name, 'tenantId'])
    }
  }
})

test('there is no table that no entity declares', () => {
  const rows = database
    .prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    .all()
  const known = new Set([...tables.map((table) => table.options.tableName ?? table.options.name), 'schema_migrations'])
  expect(rows.map((row) => row.name).filter((name) => !known.has(String(name)))).toEqual([])
})

test('migrations are numbered without gaps and applied once', () => {
  const status = sqliteMigrationStatus(join(folder, 'tenure.db'))
  expect(status.map(({ number }) => number)).toEqual(status.map((_, index) => index + 1))
  expect(migrateSqlite(join(folder, 'tenure.db'), systemClock)).toEqual([])
})
