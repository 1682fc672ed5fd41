import mysql2 from 'mysql2'
import { guardDataSource, type TenantGuard } from 'tenure-sdk/guard'
import { DataSource, type DataSourceOptions } from 'typeorm'
import { CreateOrders } from './create-orders.ts'
import { OrderTable } from './order.ts'

/** Connected, its table there, and every statement behind the guard. Whoever opens it destroys it. */
export async function openDatabase(url: URL, guard: TenantGuard): Promise<DataSource> {
  await migrate(url)
  const database = new DataSource(guardDataSource(guard, { ...optionsOf(url), entities: [OrderTable] }))
  await connect(database, url.host)
  return database
}

/** Tables are made on connections of their own: the guard lets through what names a tenant, and CREATE TABLE does not. */
async function migrate(url: URL): Promise<void> {
  // MySQL commits at every CREATE TABLE: a transaction round it would promise what it cannot keep.
  const migrations = { migrations: [CreateOrders], migrationsTransactionMode: 'none' } as const
  const database = new DataSource({ ...optionsOf(url), ...migrations, migrations: [CreateOrders] })
  await connect(database, url.host)
  try {
    await database.runMigrations()
  } finally {
    await database.destroy()
  }
}

function optionsOf(url: URL): DataSourceOptions & { readonly type: 'mysql' } {
  return {
    type: 'mysql',
    driver: mysql2,
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? 3306 : Number(url.port),
    username: decodeURIComponent(url.username),
    password: decodeURIComponent(url.password),
    database: url.pathname.slice(1),
    charset: 'utf8mb4',
    timezone: 'Z',
    connectTimeout: 5_000,
    // Without a limit of their own, requests would queue for ever while the database is away.
    extra: { connectionLimit: 10, queueLimit: 100 },
  }
}

async function connect(database: DataSource, host: string): Promise<void> {
  try {
    await database.initialize()
  } catch (cause) {
    // A host of several addresses fails with an error for each and no word of its own.
    const first: unknown = cause instanceof AggregateError ? cause.errors[0] : cause
    const why = first instanceof Error ? first.message : String(first)
    throw new Error(`the database at ${host} cannot be used: ${why}`, { cause })
  }
}
