import { DataSource, type EntityManager, type EntitySchema } from 'typeorm'
import type { Clock } from '../../base/clock.ts'
import { bindConnection } from '../../sql-guard/connection-binding.ts'
import type { Guard } from '../../sql-guard/guard.ts'
import type { GuardBinding } from '../../sql-guard/guard-types.ts'
import type { Database } from '../database.ts'
import { storageErrorFrom } from '../storage-error.ts'
import { GuardedMysqlConnection } from './guarded-connection.ts'
import { createKiller } from './kill-session.ts'
import { createMysqlDriver, type MysqlDriver } from './mysql-driver.ts'
import { mysqlFailureOf } from './mysql-errors.ts'
import type { MysqlServer } from './mysql-server.ts'
import type { MysqlSession } from './mysql-session.ts'
import { createSessionPool, type SessionPool } from './session-pool.ts'
import { runTransaction } from './transaction.ts'

export interface MysqlDatabaseOptions {
  readonly server: MysqlServer
  /** As the server said it when it was first reached. */
  readonly serverVersion: string
  readonly entities: readonly EntitySchema[]
  readonly guard: Guard
  readonly readers: number
  readonly writers: number
  readonly maxWaiting: number
  readonly clock: Clock
  /** From 0 up to 1, for waits that must not fall together. */
  readonly jitter: () => number
  /** Hears when the server cannot be reached any more, and of what could not be ended there. */
  readonly failed: (what: string, error: unknown) => void
}

/** How long one statement may take, in milliseconds; then its connection is ended. */
const statementTimeoutMs = 5_000
/** A read begins anew at most so often when its connection is lost. */
const readAttempts = 2

/** Opens a database of TypeORM over sessions of our own: each scope gets one for itself, with the guard before it. */
export async function openMysqlDatabase(options: MysqlDatabaseOptions): Promise<Database> {
  const { server, clock, failed, maxWaiting } = options
  const driver = createMysqlDriver(options.serverVersion)
  const dataSource = new DataSource({
    type: 'mysql',
    driver,
    database: server.database,
    entities: [...options.entities],
    synchronize: false,
    migrationsRun: false,
    logging: false,
  })
  await dataSource.initialize()
  const unreachable = (error: unknown) => failed('the database cannot be reached; it is tried again', error)
  const pool = (kind: 'read' | 'write', size: number) =>
    createSessionPool({ server, kind, size, maxWaiting, clock, unreachable })
  const readers = pool('read', options.readers)
  const writers = pool('write', options.writers)
  const renew = () => {
    for (const each of [readers, writers]) each.renew()
  }
  const lease = createLease(dataSource, driver, options.guard)
  const kill = createKiller(server, (error) => failed('a connection could not be ended at the database', error))
  const useWriter: SessionPool['use'] = (work) =>
    writers.use(async (session) => {
      try {
        return await work(session)
      } catch (error) {
        if (mysqlFailureOf(error) === 'read-only') renew()
        throw error
      } finally {
        // However it ended, its transaction may live on at the server, and hold its locks.
        if (session.ended) void kill(session)
      }
    })
  return {
    engine: 'mysql',
    rowLock: { forUpdate: ' FOR UPDATE', forShare: ' FOR SHARE' },
    read: (binding, work) => readSnapshot(readers, (session) => inSnapshot(lease, session, binding, work), kill),
    write: (binding, work) =>
      runTransaction({
        useSession: useWriter,
        lease: (session, part) => lease(session, binding, part),
        work,
        kill,
        clock,
        jitter: options.jitter,
      }),
    renew,
    onlyIf(identity) {
      for (const each of [readers, writers]) each.onlyIf(identity)
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([readers.close(), writers.close()])
      await dataSource.destroy()
    },
  }
}

/** Runs `work` with a manager over one session, bound for so long and no longer. */
export type Lease = <T>(
  session: MysqlSession,
  binding: GuardBinding,
  work: (manager: EntityManager) => Promise<T>,
) => Promise<T>

function createLease(dataSource: DataSource, driver: MysqlDriver, guard: Guard): Lease {
  return async (session, binding, work) => {
    const connection = new GuardedMysqlConnection(guard, session, statementTimeoutMs)
    using _bound = bindConnection(connection, binding)
    const queryRunner = dataSource.createQueryRunner('master')
    driver.offer(connection)
    const given: unknown = await queryRunner.connect()
    if (given !== connection) throw new Error('the query runner has another connection than was leased for it')
    try {
      return await work(queryRunner.manager)
    } finally {
      await queryRunner.release()
    }
  }
}

async function readSnapshot<T>(
  readers: SessionPool,
  read: (session: MysqlSession) => Promise<T>,
  kill: (session: MysqlSession) => Promise<void>,
): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await readers.use(async (session) => {
        try {
          return await read(session)
        } finally {
          if (session.abandoned) void kill(session)
        }
      })
    } catch (error) {
      if (mysqlFailureOf(error) !== 'lost' || attempt >= readAttempts) throw storageErrorFrom(error)
    }
  }
}

function inSnapshot<T>(
  lease: Lease,
  session: MysqlSession,
  binding: GuardBinding,
  work: (manager: EntityManager) => Promise<T>,
): Promise<T> {
  return lease(session, binding, async (manager) => {
    // The first row read is the moment of the snapshot that all later ones are read in.
    try {
      return await work(manager)
    } finally {
      // Not waited for: whoever leases the session next has their statements behind it.
      session.run('ROLLBACK', [], statementTimeoutMs).catch(() => session.destroy())
    }
  })
}
