import type { EntityManager, EntitySchema, ObjectLiteral } from 'typeorm'

/** What a row must have, as it is stored. */
export interface StoredCondition {
  readonly column: string
  readonly stored: unknown
  readonly comparison: '=' | '<'
}

/**
 * Gives rows new values; answers how many there were. Hand-written as `insertRows` is, and for its reason: on SQLite the
 * query builder writes numbers into the text.
 */
export async function updateRows<Row extends ObjectLiteral>(
  manager: EntityManager,
  table: EntitySchema<Row>,
  changes: Partial<Row>,
  where: readonly StoredCondition[],
): Promise<number> {
  const { queryRunner } = manager
  const { driver } = manager.connection
  const { tableName, columns } = manager.connection.getMetadata(table)
  const changed = columns.filter(({ propertyName }) => changes[propertyName] !== undefined)
  if (changed.length === 0) throw new Error(`nothing of ${tableName} is to be changed`)
  if (queryRunner === undefined) throw new Error(`${tableName} is to be changed outside a transaction`)
  const set = changed.map(({ databaseName }) => `${driver.escape(databaseName)} = ?`).join(', ')
  const filter = where.map(({ column, comparison }) => `${driver.escape(column)} ${comparison} ?`).join(' AND ')
  const values = changed.map((column) => driver.preparePersistentValue(changes[column.propertyName], column))
  const { affected } = await queryRunner.query(
    `UPDATE ${driver.escape(tableName)} SET ${set} WHERE ${filter}`,
    [...values, ...where.map(({ stored }) => stored)],
    true,
  )
  return affected ?? 0
}
