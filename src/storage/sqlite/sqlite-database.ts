import { DataSource, type EntityManager, type EntitySchema } from 'typeorm'
import { createLeasePool, type LeasePool } from '../../base/lease-pool.ts'
import { bindConnection } from '../../sql-guard/connection-binding.ts'
import type { Guard } from '../../sql-guard/guard.ts'
import type { GuardBinding } from '../../sql-guard/guard-types.ts'
import type { Database, Written } from '../database.ts'
import { storageErrorFrom } from '../storage-error.ts'
import { createNodeSqliteDriver } from './node-sqlite-driver.ts'

export interface SqliteDatabaseOptions {
  readonly path: string
  readonly entities: readonly EntitySchema[]
  readonly guard: Guard
  /** Shared by every database in the same file: SQLite has one writer per file. */
  readonly writerTurn: LeasePool<undefined>
  readonly readers: number
  readonly maxWaitingReads: number
}

/** One data source, one connection: the driver has one query runner per data source, so two scopes must never share it. */
interface Connection {
  readonly dataSource: DataSource
  readonly manager: EntityManager
  /** What the guard's binding hangs on. */
  readonly handle: object
}

const writerTurnQueue = 1_000

/** The turn that every writer of one file waits for. */
export function createWriterTurn(): LeasePool<undefined> {
  return createLeasePool([undefined], { maxWaiting: writerTurnQueue })
}

export async function openSqliteDatabase(options: SqliteDatabaseOptions): Promise<Database> {
  const writer = await connect(options, false)
  const readers: Connection[] = []
  for (let i = 0; i < options.readers; i += 1) readers.push(await connect(options, true))
  const writers = createLeasePool([writer], { maxWaiting: writerTurnQueue })
  const readerPool = createLeasePool(readers, { maxWaiting: options.maxWaitingReads })

  return {
    engine: 'sqlite',
    rowLock: { forUpdate: '', forShare: '' },
    read: (binding, work) => readerPool.use((connection) => inSnapshot(connection, binding, work)),
    write: (binding, work) =>
      options.writerTurn.use(() => writers.use((connection) => inTransaction(connection, binding, work))),
    // There are no new connections to a file, and nobody else can put another in its place.
    onlyIf: () => undefined,
    renew: () => undefined,
    async [Symbol.asyncDispose]() {
      await Promise.all([writers.close(), readerPool.close()])
      for (const connection of [...readers, writer]) await connection.dataSource.destroy()
    },
  }
}

async function connect(options: SqliteDatabaseOptions, readonly: boolean): Promise<Connection> {
  const dataSource = new DataSource({
    type: 'better-sqlite3',
    database: options.path,
    driver: createNodeSqliteDriver({ guard: options.guard }),
    entities: [...options.entities],
    readonly,
    synchronize: false,
    migrationsRun: false,
    logging: false,
  })
  await dataSource.initialize()
  const queryRunner = dataSource.createQueryRunner()
  const handle: unknown = await queryRunner.connect()
  if (typeof handle !== 'object' || handle === null) throw new Error('the driver has no connection to bind')
  return { dataSource, manager: queryRunner.manager, handle }
}

async function inSnapshot<T>(
  connection: Connection,
  binding: GuardBinding,
  work: (manager: EntityManager) => Promise<T>,
): Promise<T> {
  using _bound = bindConnection(connection.handle, binding)
  await run(connection, 'BEGIN')
  try {
    return await work(connection.manager)
  } catch (error) {
    throw storageErrorFrom(error)
  } finally {
    await run(connection, 'ROLLBACK')
  }
}

async function inTransaction<T>(
  connection: Connection,
  binding: GuardBinding,
  work: (manager: EntityManager) => Promise<Written<T>>,
): Promise<T> {
  using _bound = bindConnection(connection.handle, binding)
  await run(connection, 'BEGIN IMMEDIATE')
  try {
    const { value, keep } = await work(connection.manager)
    await run(connection, keep ? 'COMMIT' : 'ROLLBACK')
    return value
  } catch (error) {
    // A failed COMMIT may have rolled back already; a second ROLLBACK then has nothing to end.
    await run(connection, 'ROLLBACK').catch(() => undefined)
    throw storageErrorFrom(error)
  }
}

async function run(connection: Connection, statement: string): Promise<void> {
  try {
    await connection.manager.query(statement)
  } catch (error) {
    throw storageErrorFrom(error)
  }
}
