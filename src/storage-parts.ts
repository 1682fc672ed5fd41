import type { Clock } from './base/clock.ts'
import { StartError } from './base/start-error.ts'
import type { Config } from './config/config.ts'
import type { SqliteConfig } from './config/stores.ts'
import type { Runtime } from './server.ts'
import { createGuard, type Guard } from './sql-guard/guard.ts'
import type { GuardSink } from './sql-guard/guard-refusal.ts'
import type { GuardBinding, GuardDialect } from './sql-guard/guard-types.ts'
import type { Database } from './storage/database.ts'
import type { MigrationStatus } from './storage/migration-status.ts'
import { schemaVersion } from './storage/migrations/migrations.ts'
import { startErrorFrom } from './storage/mysql/connect-failure.ts'
import { migrateMysql, mysqlMigrationStatus, mysqlSchema } from './storage/mysql/migrate-mysql.ts'
import { openMysqlDatabase } from './storage/mysql/mysql-database.ts'
import type { MysqlServer } from './storage/mysql/mysql-server.ts'
import { openSession } from './storage/mysql/mysql-session.ts'
import { heldNames, holdName, withNamedLock } from './storage/mysql/named-lock.ts'
import { migrateSqlite, sqliteMigrationStatus, sqliteSchema } from './storage/sqlite/migrate-sqlite.ts'
import { createWriterTurn, openSqliteDatabase } from './storage/sqlite/sqlite-database.ts'
import { claimSqliteFile } from './storage/sqlite/sqlite-file.ts'
import { mysqlDrift, sqliteDrift } from './storage-check.ts'
import { allCellTables, directoryTables, guardedTables } from './tables.ts'
import { isProbe } from './tenancy/guard-probe.ts'

/** The two kinds of database, whether or not they lie in one place. */
export interface Storage extends AsyncDisposable {
  readonly directory: Database
  readonly cell: Database
  readonly engine: Database['engine']
  readonly schemaVersion: number
  /**
   * Runs while no other server that starts on this database is in the same: what a first start makes is made once. The
   * connection that says so may be lost in its midst: a transaction that nobody else may have begun asks before it commits.
   */
  alone<T>(work: (assertAlone: () => Promise<void>) => Promise<T>): Promise<T>
  /** Those of these servers that run now. */
  running(replicas: readonly string[]): Promise<string[]>
  /** What the database has otherwise than it was declared, a sentence each. */
  schemaDrift(): Promise<string[]>
  /** Hears of every statement the guard refuses, after the log and the metric. */
  onRefusal(listener: RefusalListener): void
}

export type Refusal = Parameters<GuardSink['refused']>[0]
export type RefusalListener = (refusal: Refusal) => void

/** What is applied, and what is not, of the configured database. */
export async function migrationStatus({ database }: Config): Promise<MigrationStatus[]> {
  if (database.engine === 'mysql') return mysqlMigrationStatus(database)
  using file = claimSqliteFile(database.file)
  return sqliteMigrationStatus(file.path)
}

/** Applies what is missing; answers what was applied. */
export async function applyMigrations({ database }: Config, clock: Clock): Promise<MigrationStatus[]> {
  if (database.engine === 'mysql') {
    const applied = new Set(await migrateMysql(database, clock))
    return (await mysqlMigrationStatus(database)).filter(({ number }) => applied.has(number))
  }
  using file = claimSqliteFile(database.file)
  const applied = new Set(migrateSqlite(file.path, clock))
  return sqliteMigrationStatus(file.path).filter(({ number }) => applied.has(number))
}

const readersOfCell = 4
const readersOfDirectory = 2
const writersOfDirectory = 4
const maxWaiting = 5_000

/** Claims the database for this server, brings its schema up to date and opens it under the guard. */
export async function openStorage(config: Config, runtime: Runtime): Promise<Storage> {
  const { database } = config
  const listeners: RefusalListener[] = []
  const guard = await openGuard(database.engine, runtime, listeners)
  const opened =
    database.engine === 'mysql'
      ? await openMysqlStorage(config, database, guard, runtime)
      : await openSqliteStorage(database, guard, runtime)
  return { ...opened, onRefusal: (listener) => void listeners.push(listener) }
}

type OpenedStorage = Omit<Storage, 'onRefusal'>

/** What passed the guard, and what the connection was bound to. */
export type StatementObserver = (sql: string, params: readonly unknown[], binding: GuardBinding | undefined) => void

async function openGuard(
  dialect: GuardDialect,
  { log, metrics, observeStatement }: Runtime,
  listeners: readonly RefusalListener[],
): Promise<Guard> {
  const guard = await createGuard({
    dialect,
    tables: guardedTables(),
    sink: {
      refused(refusal) {
        const { reason, statement, binding } = refusal
        if (isProbe(binding)) return
        metrics.guardRefused(reason)
        log.error({ reason, statement, binding }, 'the guard refused a statement')
        for (const listener of listeners) listener(refusal)
      },
    },
  })
  if (observeStatement === undefined) return guard
  return {
    check(sql, params, binding) {
      guard.check(sql, params, binding)
      observeStatement(sql, params, binding)
    },
    checkText: (sql, binding) => guard.checkText(sql, binding),
    toBindable: (params) => guard.toBindable(params),
  }
}

async function openSqliteStorage(
  { file }: SqliteConfig,
  guard: Guard,
  { clock, log }: Runtime,
): Promise<OpenedStorage> {
  await using stack = new AsyncDisposableStack()
  const { path } = stack.use(claimSqliteFile(file))
  const applied = migrateSqlite(path, clock)
  if (applied.length > 0) log.info({ applied }, 'the database schema was brought up to date')
  const shared = { path, guard, writerTurn: createWriterTurn(), maxWaitingReads: maxWaiting }
  const directory = stack.use(
    await openSqliteDatabase({ ...shared, entities: directoryTables, readers: readersOfDirectory }),
  )
  const cell = stack.use(await openSqliteDatabase({ ...shared, entities: allCellTables, readers: readersOfCell }))
  const owned = stack.move()
  // One process owns the file.
  const alone: Storage['alone'] = (work) => work(async () => undefined)
  return {
    directory,
    cell,
    engine: 'sqlite',
    schemaVersion,
    alone,
    running: async () => [],
    ...{ schemaDrift: async () => sqliteDrift(sqliteSchema(path)) },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

const startWaitMs = 60_000
/** A server that was killed frees its name as soon as the database notices. */
const nameWaitMs = 5_000

async function openMysqlStorage(
  config: Config,
  server: MysqlServer,
  guard: Guard,
  { clock, log, jitter }: Runtime,
): Promise<OpenedStorage> {
  const failed = (what: string, error: unknown) => log.error({ err: error }, what)
  await using stack = new AsyncDisposableStack()
  await assertMigrated(server)
  const serverVersion = await fitServer(server)
  const name = await inWords(server, () => holdName(server, nameOf(config.replica), nameWaitMs, failed))
  if (name === undefined) {
    throw new StartError(
      `Another server on this database is named ${config.replica} already. Give each a TENURE_REPLICA of its own.`,
    )
  }
  stack.use(name)
  const shared = { server, serverVersion, guard, maxWaiting, clock, jitter, failed }
  // Together: where the server swallows everything each waits its time.
  const databases: AsyncDisposable[] = []
  stack.defer(async () => void (await Promise.all(databases.map((each) => each[Symbol.asyncDispose]()))))
  const pool = { readers: readersOfDirectory, writers: writersOfDirectory }
  const directory = await openMysqlDatabase({ ...shared, entities: directoryTables, ...pool })
  databases.push(directory)
  const cell = await openMysqlDatabase({ ...shared, entities: allCellTables, ...config.databasePool })
  databases.push(cell)
  const owned = stack.move()
  return {
    ...{ directory, cell, engine: 'mysql' as const, schemaVersion },
    schemaDrift: async () => mysqlDrift(await mysqlSchema(server)),
    async alone(work) {
      const done = await inWords(server, () => withNamedLock(server, 'start', startWaitMs, work))
      if (done === undefined) {
        throw new StartError(
          'Another server has been starting on this database for too long. Look at it, and try again.',
        )
      }
      return done.value
    },
    async running(replicas) {
      const held = new Set(await inWords(server, () => heldNames(server, replicas.map(nameOf))))
      return replicas.filter((replica) => held.has(nameOf(replica)))
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

function nameOf(replica: string): string {
  return `replica-${replica}`
}

/** Servers come and go, and start with an account that may not change the schema: migrating is a step of its own. */
async function assertMigrated(server: MysqlServer): Promise<void> {
  const missing = (await mysqlMigrationStatus(server)).filter(({ applyTime }) => applyTime === undefined)
  if (missing.length === 0) return
  throw new StartError(
    `The database ${server.database} lacks ${missing.length} of ${schemaVersion} migrations. Run tenure migrate up.`,
  )
}

/** The first session shows whether the server can be relied on; what is wrong with it is a sentence for the operator. */
async function fitServer(server: MysqlServer): Promise<string> {
  const session = await inWords(server, () => openSession(server, 'write'))
  const { version } = session.facts
  await session.end()
  return version
}

async function inWords<T>(server: MysqlServer, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw startErrorFrom(error, server)
  }
}
