import type { Config } from './config/config.ts'
import type { Runtime } from './server.ts'
import { createGuard } from './sql-guard/guard.ts'
import type { Database } from './storage/database.ts'
import { schemaVersion } from './storage/migrations/migrations.ts'
import { migrateSqlite } from './storage/sqlite/migrate-sqlite.ts'
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
