import { guardedMysqlPool, type MysqlPoolLike } from './guarded-mysql-pool.ts'
import { guardedSqliteDriver, type SqliteConnectionClass } from './guarded-sqlite-driver.ts'
import type { TenantGuard } from './tenant-guard.ts'
import { type CallbackPool, mysqlPoolForTypeorm } from './typeorm-mysql-pool.ts'

/** What is read of the options of a DataSource of TypeORM. */
interface DataSourceOptionsLike {
  readonly type: string
  readonly driver?: unknown
  readonly replication?: unknown
}

/** The module `mysql2`, as far as it is used here. */
interface MysqlModule {
  createPool(options: object): { promise(): MysqlPoolLike }
}

/**
 * The options of a DataSource whose every statement passes the guard: `new DataSource(guardDataSource(guard, options))`.
 * `driver` has to be the driver itself: the module mysql2, or the class of better-sqlite3. Migrations and what spans
 * tenants run on a DataSource of their own, without a guard.
 */
export function guardDataSource<Options extends DataSourceOptionsLike>(guard: TenantGuard, options: Options): Options {
  const { type, driver, replication } = options
  if (driver === undefined || driver === null) {
    throw new TypeError('guardDataSource: driver has to be the driver itself, the module mysql2 or the class Database')
  }
  if (type === 'mysql' && guard.dialect === 'mysql') {
    if (replication !== undefined) throw new TypeError('guardDataSource: replication is not guarded; use one pool each')
    const { createPool } = driver as MysqlModule
    const guarded = (poolOptions: object): CallbackPool =>
      mysqlPoolForTypeorm(guardedMysqlPool(guard, createPool(poolOptions)))
    return { ...options, driver: { createPool: guarded } }
  }
  if (type === 'better-sqlite3' && guard.dialect === 'sqlite') {
    return { ...options, driver: guardedSqliteDriver(guard, driver as SqliteConnectionClass) }
  }
  throw new TypeError(`guardDataSource: a guard of ${guard.dialect} cannot stand before a DataSource of ${type}`)
}
