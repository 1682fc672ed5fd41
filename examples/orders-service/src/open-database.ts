import { DataSource } from 'typeorm'
import { CreateOrders } from './create-orders.ts'
import { OrderTable } from './order.ts'

/** Connected, and its table there. Whoever opens it destroys it. */
export async function openDatabase(url: URL): Promise<DataSource> {
  const database = new DataSource({
    type: 'mysql',
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
    entities: [OrderTable],
    migrations: [CreateOrders],
    // MySQL commits at every CREATE TABLE: a transaction round it would promise what it cannot keep.
    migrationsTransactionMode: 'none',
  })
  await connect(database, url.host)
  try {
    await database.runMigrations()
    return database
  } catch (error) {
    await database.destroy()
    throw error
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
