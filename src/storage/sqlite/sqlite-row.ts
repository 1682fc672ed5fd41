import type { SQLOutputValue } from 'node:sqlite'

type SqliteValue = string | number | bigint | null | Buffer
export type SqliteRow = Record<string, SqliteValue>

/** A plain object, blobs as Buffers over the same bytes, integers as numbers wherever a number holds them exactly. */
export function rowFromSqlite(row: Record<string, SQLOutputValue>): SqliteRow {
  const plain: SqliteRow = {}
  for (const column of Object.keys(row)) plain[column] = valueFromSqlite(row[column] ?? null)
  return plain
}

function valueFromSqlite(value: SQLOutputValue): SqliteValue {
  if (typeof value === 'bigint') {
    return value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER ? Number(value) : value
  }
  if (value instanceof Uint8Array) return Buffer.from(value.buffer, value.byteOffset, value.byteLength)
  return value
}
