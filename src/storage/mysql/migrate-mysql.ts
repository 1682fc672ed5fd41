import { createConnection, type RowDataPacket } from 'mysql2'
import type { Connection } from 'mysql2/promise'
import type { Clock } from '../../base/clock.ts'
import { StartError } from '../../base/start-error.ts'
import {
  type AppliedMigrations,
  type MigrationStatus,
  migrationStatusFrom,
  missingMigrations,
} from '../migration-status.ts'
import type { Schema } from '../schema-model.ts'
import { placeOf, startErrorFrom } from './connect-failure.ts'
import { readMysqlSchema } from './mysql-schema.ts'
import { connectionOptionsOf, type MysqlServer } from './mysql-server.ts'
import { versionProblem } from './mysql-version.ts'

export interface MigrateMysqlOptions {
  /** How long to wait for another process that is migrating the same database. */
  readonly turnSeconds?: number
}

/** What is applied and what is not, without changing anything. */
export async function mysqlMigrationStatus(server: MysqlServer): Promise<MigrationStatus[]> {
  return migrationStatusFrom(await connected(server, (connection) => appliedMigrations(connection, server)))
}

/**
 * Applies what is missing, statement by statement, and answers the numbers applied. Whatever interrupts it, the next run
 * finishes it. Of several at once one works; the others wait, and find nothing missing.
 */
export async function migrateMysql(
  server: MysqlServer,
  clock: Clock,
  { turnSeconds = 60 }: MigrateMysqlOptions = {},
): Promise<number[]> {
  return connected(server, async (connection) => {
    await using _turn = await takeTurn(connection, server, turnSeconds)
    const missing = missingMigrations(await appliedMigrations(connection, server))
    // Not without need: the account a server runs under may have no right to create tables.
    if (missing.length > 0) await connection.query(migrationsTable)
    for (const { number, name, mysql } of missing) {
      for (const statement of mysql) await applyStatement(connection, statement)
      await connection.execute('INSERT INTO schema_migrations (number, name, apply_time) VALUES (?, ?, ?)', [
        number,
        name,
        new Date(clock.nowMs()),
      ])
    }
    return missing.map(({ number }) => number)
  })
}

const duplicateColumn = 1060

/** MySQL has no words for adding a column where there is none: one that is there was added before an interruption. */
async function applyStatement(connection: Connection, statement: string): Promise<void> {
  try {
    await connection.query(statement)
  } catch (error) {
    const isThere = error instanceof Error && 'errno' in error && error.errno === duplicateColumn
    if (!isThere || !/^ALTER TABLE \w+ ADD COLUMN \w+ [^,]+$/.test(statement)) throw error
  }
}

/** The schema as the server has it. */
export function mysqlSchema(server: MysqlServer): Promise<Schema> {
  return connected(server, (connection) => readMysqlSchema({ rows: (sql) => ask(connection, sql) }))
}

/** What one statement reads. */
export function readMysqlRows(server: MysqlServer, sql: string): Promise<RowDataPacket[]> {
  return connected(server, (connection) => ask(connection, sql))
}

/** The time the server says it is, in milliseconds since the epoch. */
export function mysqlClockMs(server: MysqlServer): Promise<number> {
  return connected(server, async (connection) => {
    const [row] = await ask(connection, 'SELECT UNIX_TIMESTAMP(NOW(3)) AS seconds')
    return Number(row?.seconds) * 1000
  })
}

export const migrationsTableName = 'schema_migrations'

const migrationsTable = `CREATE TABLE IF NOT EXISTS schema_migrations (
  number int NOT NULL,
  name varchar(63) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  apply_time datetime(3) NOT NULL,
  PRIMARY KEY (number)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin`

/** Modes and time-outs of the server are not relied on; by default a statement waits a year for a table that is in use. */
const sessionSettings =
  "SET SESSION sql_mode = 'TRADITIONAL', SESSION time_zone = '+00:00', SESSION lock_wait_timeout = 60, SESSION autocommit = 1"

/** Runs `work` on a connection of its own, which is closed in every case. Every failure is a sentence. */
async function connected<T>(server: MysqlServer, work: (connection: Connection) => Promise<T>): Promise<T> {
  const raw = createConnection(connectionOptionsOf(server))
  // Heard between two statements; the next statement fails by itself, and without a listener the process would end.
  raw.on('error', () => undefined)
  const connection = raw.promise()
  try {
    await connection.connect()
    await assertSupported(connection, server)
    await ask(connection, sessionSettings)
    const result = await work(connection)
    await connection.end()
    return result
  } catch (error) {
    throw startErrorFrom(error, server)
  } finally {
    raw.destroy()
  }
}

async function assertSupported(connection: Connection, server: MysqlServer): Promise<void> {
  const rows = await ask(connection, 'SELECT VERSION() AS version, @@version_comment AS comment')
  const problem = versionProblem(String(rows[0]?.version), String(rows[0]?.comment))
  if (problem === undefined) return
  const { at, database } = placeOf(server)
  throw new StartError(
    `The server at ${at} with the database ${database} is ${problem}. Use MySQL 8.4 or newer for the database of Tenure.`,
  )
}

/** For everything but what changes the schema, which takes as long as it takes. */
const answerTimeoutMs = 5_000

async function ask(
  connection: Connection,
  sql: string,
  values: readonly (string | number)[] = [],
  timeout = answerTimeoutMs,
): Promise<RowDataPacket[]> {
  try {
    const [rows] = await connection.query<RowDataPacket[]>({ sql, values: [...values], timeout })
    return rows
  } catch (error) {
    // What was not answered in time still stands before everything that would be asked on this connection.
    connection.destroy()
    throw error
  }
}

/** The longest name of a lock. Databases whose names differ only beyond it take turns too, which does no harm. */
const lockNameLength = 64

async function takeTurn(connection: Connection, server: MysqlServer, seconds: number): Promise<AsyncDisposable> {
  const lock = `tenure-migrate:${server.database}`.slice(0, lockNameLength)
  const rows = await ask(connection, 'SELECT GET_LOCK(?, ?) AS held', [lock, seconds], seconds * 1000 + answerTimeoutMs)
  if (rows[0]?.held !== 1) {
    const { at, database } = placeOf(server)
    throw new StartError(
      `Another process has been migrating the database ${database} at ${at} for ${seconds} seconds. Wait until it has finished, then try again.`,
    )
  }
  return {
    async [Symbol.asyncDispose]() {
      // A connection that was lost has given it back by that, and why it was lost is what is told.
      await ask(connection, 'SELECT RELEASE_LOCK(?)', [lock]).catch(() => undefined)
    },
  }
}

async function appliedMigrations(connection: Connection, server: MysqlServer): Promise<AppliedMigrations> {
  if (!(await hasMigrationsTable(connection, server))) return new Map()
  const rows = await ask(connection, 'SELECT number, apply_time FROM schema_migrations')
  return new Map(rows.map((row) => [Number(row.number), (row.apply_time as Date).toISOString()]))
}

/** Other programs have a schema_migrations too; theirs has other columns. */
const migrationsColumns = 'apply_time,name,number'

/** False: the database is empty. Refuses one that another program has tables in. */
async function hasMigrationsTable(connection: Connection, server: MysqlServer): Promise<boolean> {
  const rows = await ask(
    connection,
    'SELECT table_name AS table_name, column_name AS column_name FROM information_schema.columns WHERE table_schema = DATABASE()',
  )
  if (rows.length === 0) return false
  const columns = rows.filter((row) => row.table_name === 'schema_migrations').map((row) => String(row.column_name))
  if (columns.sort().join() === migrationsColumns) return true
  const { at, database } = placeOf(server)
  throw new StartError(
    `The database ${database} at ${at} holds tables of another program; it is not a Tenure database. Choose another, or an empty one.`,
  )
}
