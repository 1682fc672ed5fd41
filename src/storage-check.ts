import { existsSync } from 'node:fs'
import { nilUuid } from './base/ids.ts'
import { StartError } from './base/start-error.ts'
import type { DatabaseConfig } from './config/stores.ts'
import { createGuard } from './sql-guard/guard.ts'
import { guardRefusalIn } from './sql-guard/guard-refusal.ts'
import type { MigrationStatus } from './storage/migration-status.ts'
import {
  migrationsTableName,
  mysqlClockMs,
  mysqlMigrationStatus,
  mysqlSchema,
  readMysqlRows,
} from './storage/mysql/migrate-mysql.ts'
import { mysqlTypeOf } from './storage/mysql/mysql-schema.ts'
import { declaredTable, type Schema, schemaDrift, tableNameOf } from './storage/schema-model.ts'
import { inspectSqlite, readSqliteRows } from './storage/sqlite/migrate-sqlite.ts'
import { sqliteTypeOf } from './storage/sqlite/sqlite-schema.ts'
import { allCellTables, directoryTables, guardedTables } from './tables.ts'

/** What a database has otherwise than it was declared, a sentence each. */
export const sqliteDrift = (found: Schema): string[] => driftOf(sqliteTypeOf, found)
export const mysqlDrift = (found: Schema): string[] => driftOf(mysqlTypeOf, found)

/** Beside what entities declare there is the list of migrations, and nothing else. */
function driftOf(typeOf: Parameters<typeof declaredTable>[1], found: Schema): string[] {
  const declared = [...directoryTables, ...allCellTables].map((entity) => [
    tableNameOf(entity),
    declaredTable(entity, typeOf),
  ])
  const { [migrationsTableName]: _list, ...rest } = found
  return schemaDrift(Object.fromEntries(declared), rest)
}

/** The time the database says it is; of a file, which has no clock, only that it can be read. Throws a sentence. */
export async function databaseClockMs(database: DatabaseConfig): Promise<number> {
  if (database.engine === 'mysql') return mysqlClockMs(database)
  inspect(database.file)
  return 0
}

/** How many migrations are missing, and what differs from them. Changes nothing, also beside a running server. */
export async function examineSchema(
  database: DatabaseConfig,
): Promise<{ readonly missing: number; readonly drift: string[] }> {
  const missingOf = (status: readonly MigrationStatus[]) =>
    status.filter(({ applyTime }) => applyTime === undefined).length
  if (database.engine === 'sqlite') {
    const { schema, status } = inspect(database.file)
    return { missing: missingOf(status), drift: sqliteDrift(schema) }
  }
  return { missing: missingOf(await mysqlMigrationStatus(database)), drift: mysqlDrift(await mysqlSchema(database)) }
}

function inspect(file: string): ReturnType<typeof inspectSqlite> {
  if (!existsSync(file)) {
    throw new StartError(`There is no database at ${file} yet. tenure bootstrap makes it, or set TENURE_DATABASE_URL.`)
  }
  try {
    return inspectSqlite(file)
  } catch {
    throw new StartError(`${file} cannot be read as a database. Look at its owner and mode, or restore it.`)
  }
}

/** What one statement of ours reads, beside whatever server runs: nothing is claimed, bound or changed. */
export async function readRows(
  database: DatabaseConfig,
  sql: string,
): Promise<readonly Readonly<Record<string, unknown>>[]> {
  return database.engine === 'sqlite' ? readSqliteRows(database.file, sql) : readMysqlRows(database, sql)
}

/** Statements that the guard of this build must refuse and does not. */
export async function tryGuard(dialect: DatabaseConfig['engine']): Promise<string[]> {
  const guard = await createGuard({ dialect, tables: guardedTables(), sink: { refused: () => undefined } })
  const binding = { kind: 'tenant', tenantId: nilUuid, workspaceId: nilUuid, allWorkspaces: false } as const
  const statements = [
    'SELECT email FROM users',
    'SELECT email FROM users WHERE tenant_id = ? OR tenant_id <> ?',
    'DELETE FROM memberships WHERE tenant_id = ?',
    'UPDATE users SET tenant_id = ? WHERE tenant_id = ?',
  ]
  return statements.filter((sql) => {
    try {
      guard.check(
        sql,
        Array.from(sql.matchAll(/\?/g), () => nilUuid),
        binding,
      )
      return true
    } catch (error) {
      if (guardRefusalIn(error) === undefined) throw error
      return false
    }
  })
}
