import type { Clock } from './base/clock.ts'
import type { Config } from './config/config.ts'
import type { Runtime } from './server.ts'
import { createGuard } from './sql-guard/guard.ts'
import type { Database } from './storage/database.ts'
import { schemaVersion } from './storage/migrations/migrations.ts'
import { type MigrationStatus, migrateSqlite, sqliteMigrationStatus } from './storage/sqlite/migrate-sqlite.ts'
import { createWriterTurn, openSqliteDatabase } from './storage/sqlite/sqlite-database.ts'
import { claimSqliteFile } from './storage/sqlite/sqlite-file.ts'
import { cellTables, directoryTables, guardedTables } from './tables.ts'

/** The two kinds of database, whether or not they lie in one file. */
export interface Storage extends AsyncDisposable {
  readonly directory: Database
  readonly cell: Database
  readonly engine: Database['engine']
  readonly schemaVersion: number
}

/** What is applied, and what is not, of the configured database. */
export function migrationStatus(config: Config): MigrationStatus[] {
  using file = claimSqliteFile(config.database.file)
  return sqliteMigrationStatus(file.path)
}

/** Applies what is missing; answers what was applied. */
export function applyMigrations(config: Config, clock: Clock): MigrationStatus[] {
  using file = claimSqliteFile(config.database.file)
  const applied = new Set(migrateSqlite(file.path, clock))
  return sqliteMigrationStatus(file.path).filter(({ number }) => applied.has(number))
}

const readersOfCell = 4
const readersOfDirectory = 2
const maxWaitingReads = 5_000

/** Claims the file, brings its schema up to date and opens it under the guard. */
export async function openStorage(config: Config, { clock, log, metrics }: Runtime): Promise<Storage> {
  await using stack = new AsyncDisposableStack()
  const { path } = stack.use(claimSqliteFile(config.database.file))
  const applied = migrateSqlite(path, clock)
  if (applied.length > 0) log.info({ applied }, 'the database schema was brought up to date')
  const guard = await createGuard({
    dialect: 'sqlite',
    tables: guardedTables(),
    sink: {
      refused({ reason, statement, binding }) {
        metrics.guardRefused(reason)
        log.error({ reason, statement, binding }, 'the guard refused a statement')
      },
    },
  })
  const shared = { path, guard, writerTurn: createWriterTurn(), maxWaitingReads }
  const directory = stack.use(
    await openSqliteDatabase({ ...shared, entities: directoryTables, readers: readersOfDirectory }),
  )
  const cell = stack.use(await openSqliteDatabase({ ...shared, entities: cellTables, readers: readersOfCell }))
  const owned = stack.move()
  return { directory, cell, engine: 'sqlite', schemaVersion, [Symbol.asyncDispose]: () => owned.disposeAsync() }
}
