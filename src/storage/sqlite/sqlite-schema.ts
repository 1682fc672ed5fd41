import type { DatabaseSync } from 'node:sqlite'
import type { EntitySchemaColumnOptions } from 'typeorm'
import type { Column, Index, Schema } from '../schema-model.ts'

/** How SQLite writes the type a column is declared with. */
export function sqliteTypeOf({ type, length, charset }: EntitySchemaColumnOptions): string {
  if (type !== 'varchar') return String(type)
  return charset === 'binary' ? 'blob' : `varchar(${length})`
}

export function readSqliteSchema(database: DatabaseSync): Schema {
  const tables = database
    .prepare("SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%'")
    .all()
  return Object.fromEntries(
    tables.map(({ name }) => [
      String(name),
      {
        columns: columnsOf(database, String(name)),
        indices: indicesOf(database, String(name)),
        triggers: triggersOf(database, String(name)),
      },
    ]),
  )
}

function triggersOf(database: DatabaseSync, table: string): string[] {
  const rows = database
    .prepare("SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = ? ORDER BY name")
    .all(table)
  return rows.map(({ name }) => String(name))
}

function columnsOf(database: DatabaseSync, table: string): Record<string, Column> {
  const rows = database
    .prepare('SELECT name, type, "notnull" AS required, dflt_value AS fallback, pk FROM pragma_table_info(?)')
    .all(table)
  return Object.fromEntries(
    rows.map((row) => [
      String(row.name),
      {
        type: [String(row.type).toLowerCase(), row.fallback ?? ''].join(' ').trim(),
        nullable: row.required === 0,
        key: Number(row.pk),
      },
    ]),
  )
}

function indicesOf(database: DatabaseSync, table: string): Record<string, Index> {
  const rows = database
    .prepare(`SELECT name, "unique" AS is_unique FROM pragma_index_list(?) WHERE origin <> 'pk'`)
    .all(table)
  return Object.fromEntries(
    rows.map((row) => [
      String(row.name),
      {
        unique: row.is_unique === 1,
        columns: database
          .prepare('SELECT name FROM pragma_index_info(?) ORDER BY seqno')
          .all(String(row.name))
          .map((each) => String(each.name)),
      },
    ]),
  )
}
