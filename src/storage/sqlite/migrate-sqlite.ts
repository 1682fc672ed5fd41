import { DatabaseSync } from 'node:sqlite'
import type { Clock } from '../../base/clock.ts'
import {
  type AppliedMigrations,
  type MigrationStatus,
  migrationStatusFrom,
  missingMigrations,
} from '../migration-status.ts'
import type { Schema } from '../schema-model.ts'
import { readSqliteSchema } from './sqlite-schema.ts'

/** What is applied and what is not, without changing anything. The file must be claimed. */
export function sqliteMigrationStatus(path: string): MigrationStatus[] {
  using database = open(path)
  return migrationStatusFrom(appliedMigrations(database))
}

/** Applies what is missing, one transaction each. Answers the numbers applied. The file must be claimed. */
export function migrateSqlite(path: string, clock: Clock): number[] {
  using database = open(path)
  database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL')
  database.exec(
    'CREATE TABLE IF NOT EXISTS schema_migrations (number integer NOT NULL PRIMARY KEY, name varchar(63) NOT NULL, apply_time datetime NOT NULL)',
  )
  const missing = missingMigrations(appliedMigrations(database))
  for (const migration of missing) {
    database.exec('BEGIN IMMEDIATE')
    for (const statement of migration.sqlite) database.exec(statement)
    database
      .prepare('INSERT INTO schema_migrations (number, name, apply_time) VALUES (?, ?, ?)')
      .run(migration.number, migration.name, new Date(clock.nowMs()).toISOString())
    database.exec('COMMIT')
  }
  return missing.map(({ number }) => number)
}

/** Schema and migrations of a file that somebody else may have claimed: it is only read. */
export function inspectSqlite(path: string): { readonly schema: Schema; readonly status: MigrationStatus[] } {
  const database = new DatabaseSync(path, { readOnly: true })
  try {
    return { schema: readSqliteSchema(database), status: migrationStatusFrom(appliedMigrations(database)) }
  } finally {
    database.close()
  }
}

/** Rows of a file that somebody else may have claimed: it is only read. */
export function readSqliteRows(path: string, sql: string): ReturnType<ReturnType<DatabaseSync['prepare']>['all']> {
  const database = new DatabaseSync(path, { readOnly: true })
  try {
    return database.prepare(sql).all()
  } finally {
    database.close()
  }
}

/** The schema as the file has it. The file must be claimed. */
export function sqliteSchema(path: string): Schema {
  using database = open(path)
  return readSqliteSchema(database)
}

function appliedMigrations(database: DatabaseSync): AppliedMigrations {
  const table = database
    .prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND name = 'schema_migrations'")
    .get()
  if (table === undefined) return new Map()
  const rows = database.prepare('SELECT number, apply_time FROM schema_migrations').all()
  return new Map(rows.map((row) => [Number(row.number), String(row.apply_time)]))
}

function open(path: string): DatabaseSync & Disposable {
  const database = new DatabaseSync(path)
  return Object.assign(database, { [Symbol.dispose]: () => database.close() })
}
