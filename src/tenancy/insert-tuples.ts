import type { EntityManager } from 'typeorm'
import type { Engine } from '../storage/database.ts'

/** Rows per statement, largest first: few texts, so that each is judged and prepared once. */
const sizes = [64, 32, 16, 8, 4, 2, 1]

export interface Insertion {
  readonly table: string
  readonly columns: readonly string[]
  /** As many values each as there are columns. */
  readonly tuples: readonly (readonly unknown[])[]
  /** What becomes of a row that is there already; empty: the statement fails. */
  readonly otherwise?: string
}

/** Inserts rows of any number. Goes past the stores: whoever uses it writes the table's tenant into every row. */
export async function insertTuples(
  manager: EntityManager,
  { table, columns, tuples, otherwise = '' }: Insertion,
): Promise<void> {
  const marks = `(${columns.map(() => '?').join(', ')})`
  for (let at = 0; at < tuples.length; ) {
    const size = sizes.find((each) => each <= tuples.length - at) ?? 1
    const values = Array.from({ length: size }, () => marks).join(', ')
    const text = `INSERT INTO ${table} (${columns.join(', ')}) VALUES ${values} ${otherwise}`
    await manager.query(text.trimEnd(), tuples.slice(at, at + size).flat())
    at += size
  }
}

/** Gives these columns of the row that has the key the new values. */
export function orUpdate(engine: Engine, key: readonly string[], changed: readonly string[]): string {
  return engine === 'mysql'
    ? `ON DUPLICATE KEY UPDATE ${changed.map((column) => `${column} = VALUES(${column})`).join(', ')}`
    : `ON CONFLICT (${key.join(', ')}) DO UPDATE SET ${changed.map((column) => `${column} = excluded.${column}`).join(', ')}`
}
