import type { EntitySchemaColumnOptions } from 'typeorm'
import type { Column, Index, Schema, Table } from '../schema-model.ts'

/** A session in the database that is looked at. */
export interface Asking {
  rows(sql: string): Promise<Record<string, unknown>[]>
}

const ofType: Readonly<Record<string, string>> = {
  text: 'mediumtext',
  blob: 'mediumblob',
  integer: 'bigint',
  bigint: 'bigint',
  boolean: 'tinyint(1)',
}

/** How MySQL's information schema writes the type a column is declared with, its character set and collation included. */
export function mysqlTypeOf(column: EntitySchemaColumnOptions): string {
  const { type, length, precision, charset, collation, generated } = column
  if (charset === 'binary') return `varbinary(${length})`
  if (type === 'blob' && typeof precision === 'number') return `binary(${precision})`
  if (type === 'datetime') return `datetime(${precision})`
  const plain = type === 'varchar' ? `varchar(${length})` : ofType[String(type)]
  if (plain === undefined) throw new Error(`no column of type ${String(type)} is known in MySQL`)
  return joined([plain, charset, collation, generated === 'increment' ? 'auto_increment' : ''])
}

interface FoundTable extends Table {
  readonly columns: Record<string, Column>
  readonly indices: Record<string, Index>
  readonly triggers: string[]
}

export async function readMysqlSchema({ rows }: Asking): Promise<Schema> {
  const schema: Record<string, FoundTable> = {}
  const tableOf = (name: unknown): FoundTable => {
    const found = schema[String(name)] ?? { columns: {}, indices: {}, triggers: [] }
    schema[String(name)] = found
    return found
  }
  for (const row of await rows(columnsQuery)) {
    tableOf(row.table_name).columns[String(row.column_name)] = {
      type: joined([row.column_type, row.charset, row.collation, row.extra, row.fallback]),
      nullable: row.is_nullable === 'YES',
      key: Number(row.pk),
    }
  }
  for (const row of await rows(indicesQuery)) {
    tableOf(row.table_name).indices[String(row.index_name)] = {
      unique: row.non_unique === 0,
      columns: String(row.columns).split(','),
    }
  }
  for (const row of await rows(triggersQuery)) tableOf(row.table_name).triggers.push(String(row.trigger_name))
  return schema
}

/** What is said of whole tables: the engine, how rows lie in it, and what a column added later would be. */
export async function readMysqlTableOptions({ rows }: Asking): Promise<string[]> {
  const found = await rows(
    'SELECT DISTINCT engine AS engine, row_format AS row_format, table_collation AS table_collation ' +
      'FROM information_schema.tables WHERE table_schema = DATABASE()',
  )
  return found.map((row) => joined([row.engine, row.row_format, row.table_collation]))
}

function joined(parts: readonly unknown[]): string {
  return parts.filter((part) => part !== null && part !== undefined && part !== '').join(' ')
}

// information_schema names its columns in capitals unless told otherwise.
const columnsQuery = `
  SELECT c.table_name AS table_name, c.column_name AS column_name, c.column_type AS column_type,
    c.character_set_name AS charset, c.collation_name AS collation, c.extra AS extra, c.column_default AS fallback,
    c.is_nullable AS is_nullable, COALESCE(s.seq_in_index, 0) AS pk
  FROM information_schema.columns c
  LEFT JOIN information_schema.statistics s ON s.table_schema = c.table_schema AND s.table_name = c.table_name
    AND s.column_name = c.column_name AND s.index_name = 'PRIMARY'
  WHERE c.table_schema = DATABASE()`

// The length of a prefix and the direction are part of a column's name here, so that none is overlooked.
const indicesQuery = `
  SELECT table_name AS table_name, index_name AS index_name, MAX(non_unique) AS non_unique,
    GROUP_CONCAT(CONCAT(column_name, COALESCE(CONCAT('(', sub_part, ')'), ''), IF(collation = 'D', ' desc', ''),
      IF(is_visible = 'NO', ' invisible', '')) ORDER BY seq_in_index) AS columns
  FROM information_schema.statistics
  WHERE table_schema = DATABASE() AND index_name <> 'PRIMARY'
  GROUP BY table_name, index_name`

// An account sees those of tables that it may make triggers on.
const triggersQuery = `
  SELECT event_object_table AS table_name, trigger_name AS trigger_name
  FROM information_schema.triggers
  WHERE event_object_schema = DATABASE()
  ORDER BY trigger_name`
