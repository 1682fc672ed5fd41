import type { EntityManager, EntityMetadata, EntitySchema, ObjectLiteral } from 'typeorm'

/** A SELECT by equality of some columns, made once: building it anew costs several times its run. */
interface CompiledFind {
  readonly sql: string
  readonly columns: EntityMetadata['columns']
}

const compiled = new WeakMap<EntityMetadata, Map<string, CompiledFind>>()

/** The first row where every column has the value it is stored as; undefined when nothing matches. */
export async function findRow<Row extends ObjectLiteral>(
  manager: EntityManager,
  table: EntitySchema<Row>,
  where: readonly (readonly [property: string, stored: unknown, column: string])[],
): Promise<Row | undefined> {
  const metadata = manager.connection.getMetadata(table)
  const { driver } = manager.connection
  const { sql, columns } = findBy(
    metadata,
    (name) => driver.escape(name),
    where.map(([, , column]) => column),
  )
  const rows: Record<string, unknown>[] = await manager.query(
    sql,
    where.map(([, stored]) => stored),
  )
  const [raw] = rows
  if (raw === undefined) return undefined
  const row: Record<string, unknown> = {}
  for (const column of columns) {
    row[column.propertyName] = driver.prepareHydratedValue(raw[column.databaseName] ?? null, column)
  }
  return row as Row
}

function findBy(metadata: EntityMetadata, quoted: (name: string) => string, asked: readonly string[]): CompiledFind {
  const byColumns = compiled.get(metadata) ?? new Map<string, CompiledFind>()
  compiled.set(metadata, byColumns)
  // Column names have no commas.
  const key = asked.join()
  const known = byColumns.get(key)
  if (known !== undefined) return known
  const { columns, tableName } = metadata
  // Quoted, a column may have a name that the guard takes for a word of SQL.
  const selected = columns.map(({ databaseName }) => quoted(databaseName)).join(', ')
  const conditions = asked.map((column) => `${quoted(column)} = ?`).join(' AND ')
  const filter = asked.length === 0 ? '' : ` WHERE ${conditions}`
  const made = { sql: `SELECT ${selected} FROM ${tableName}${filter} LIMIT 1`, columns }
  byColumns.set(key, made)
  return made
}
