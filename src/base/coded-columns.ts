import { bytesColumn } from './columns.ts'

/** How a code is stored. Nullable, because rows were written before there were codes. */
export function rowCodeColumn() {
  return { rowCode: bytesColumn('rowCode', { length: 32, nullable: true }) }
}

const covered = new WeakMap<object, readonly string[]>()

/**
 * Says of a table that its rows grant power: each carries a keyed code over its primary key and these properties, which
 * are all that decisions rest on. What the kernel writes gets its code by itself; what has none, or a wrong one, grants
 * nothing. Another list of properties makes every code that is stored a wrong one.
 */
export function coded<Table extends object>(table: Table, properties: readonly string[]): Table {
  covered.set(table, properties)
  return table
}

/** Undefined: rows of that table carry no code. */
export function codedProperties(table: object): readonly string[] | undefined {
  return covered.get(table)
}
