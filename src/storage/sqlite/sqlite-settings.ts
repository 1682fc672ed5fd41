import type { DatabaseSync } from 'node:sqlite'

interface ConnectionKind {
  readonly readOnly: boolean
  /** Has no file, so nothing to be durable in: for tests. */
  readonly inMemory: boolean
}

const FULL = 2

/**
 * Sets what belongs to a connection, and reads everything back: SQLite ignores a pragma it cannot honour. A read-only
 * connection finds the journal mode as the writer left it.
 */
export function applyConnectionSettings(database: DatabaseSync, { readOnly, inMemory }: ConnectionKind): void {
  if (!readOnly && !inMemory) database.exec('PRAGMA journal_mode = WAL')
  database.exec('PRAGMA synchronous = FULL')
  database.exec('PRAGMA foreign_keys = ON')
  // Functions and virtual tables named by a tampered schema must not run with our rights.
  database.exec('PRAGMA trusted_schema = OFF')
  if (readOnly) database.exec('PRAGMA query_only = ON')
  verify(database, 'journal_mode', inMemory ? 'memory' : 'wal')
  verify(database, 'synchronous', FULL)
  verify(database, 'foreign_keys', 1)
  verify(database, 'trusted_schema', 0)
  if (readOnly) verify(database, 'query_only', 1)
}

function verify(database: DatabaseSync, pragma: string, expected: string | number): void {
  const actual = database.prepare(`PRAGMA ${pragma}`).get()?.[pragma]
  if (actual !== expected) throw new Error(`SQLite setting ${pragma} is ${String(actual)} and must be ${expected}`)
}

/** What TypeORM issues by itself when it connects; each repeats what applyConnectionSettings has set. */
const HARMLESS_PRAGMAS = new Set(['foreign_keys = ON', 'journal_mode = WAL'])

export function isHarmlessPragma(text: string): boolean {
  return HARMLESS_PRAGMAS.has(text)
}
