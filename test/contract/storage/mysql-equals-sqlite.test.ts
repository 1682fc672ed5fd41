import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { EntitySchemaColumnOptions } from 'typeorm'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { systemClock } from '../../../src/base/clock.ts'
import type { MigrationStatus } from '../../../src/storage/migration-status.ts'
import { migrateMysql, mysqlMigrationStatus } from '../../../src/storage/mysql/migrate-mysql.ts'
import { mysqlTypeOf, readMysqlSchema, readMysqlTableOptions } from '../../../src/storage/mysql/mysql-schema.ts'
import { declaredTable, type Schema, tableNameOf } from '../../../src/storage/schema-model.ts'
import { migrateSqlite, sqliteMigrationStatus } from '../../../src/storage/sqlite/migrate-sqlite.ts'
import { readSqliteSchema, sqliteTypeOf } from '../../../src/storage/sqlite/sqlite-schema.ts'
import { cellOwnTables, cellTables, directoryTables, guardedTables } from '../../../src/tables.ts'
import { createScratchDatabase, type ScratchDatabase } from './scratch-database.ts'

/** A migrated database of one engine. */
interface Migrated extends AsyncDisposable {
  readonly schema: Schema
  status(): MigrationStatus[] | Promise<MigrationStatus[]>
  migrate(): number[] | Promise<number[]>
}

interface Engine {
  readonly name: string
  readonly typeOf: (column: EntitySchemaColumnOptions) => string
  readonly open: () => Promise<Migrated>
}

const engines: readonly Engine[] = [
  { name: 'SQLite', typeOf: sqliteTypeOf, open: openSqlite },
  { name: 'MySQL', typeOf: mysqlTypeOf, open: openMysql },
]

async function openSqlite(): Promise<Migrated> {
  const folder = mkdtempSync(join(tmpdir(), 'tenure-schema-'))
  const file = join(folder, 'tenure.db')
  migrateSqlite(file, systemClock)
  const database = new DatabaseSync(file)
  const schema = readSqliteSchema(database)
  database.close()
  return {
    schema,
    status: () => sqliteMigrationStatus(file),
    migrate: () => migrateSqlite(file, systemClock),
    async [Symbol.asyncDispose]() {
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

async function openMysql(): Promise<Migrated> {
  const scratch = await createScratchDatabase()
  await migrateMysql(scratch.server, systemClock)
  return {
    schema: await readMysqlSchema(scratch),
    status: () => mysqlMigrationStatus(scratch.server),
    migrate: () => migrateMysql(scratch.server, systemClock),
    [Symbol.asyncDispose]: () => scratch[Symbol.asyncDispose](),
  }
}

const entities = [...cellTables, ...cellOwnTables, ...directoryTables].map((table) => ({
  table,
  name: tableNameOf(table),
}))

describe.each(engines)('the schema in $name', ({ typeOf, open }) => {
  let database: Migrated
  beforeAll(async () => {
    database = await open()
  })
  afterAll(() => database?.[Symbol.asyncDispose]())

  test.each(entities)('the migrated table $name is the declared one, with its indices', ({ name, table }) => {
    expect(database.schema[name]).toEqual(declaredTable(table, typeOf))
  })

  test('there is no table that no entity declares', () => {
    const known = [...entities.map(({ name }) => name), 'schema_migrations']
    expect(Object.keys(database.schema).sort()).toEqual(known.sort())
  })

  test('migrations are numbered without gaps and applied once', async () => {
    const status = await database.status()
    expect(status.map(({ number }) => number)).toEqual(status.map((_, index) => index + 1))
    expect(status.every(({ applyTime }) => applyTime !== undefined)).toBe(true)
    expect(await database.migrate()).toEqual([])
  })
})

test('both engines have the same tables, columns, nullability, keys and indices', async () => {
  await using sqlite = await openSqlite()
  await using mysql = await openMysql()
  expect(withoutTypes(mysql.schema)).toEqual(withoutTypes(sqlite.schema))
})

describe('keys', () => {
  const keysOf = (schema: Schema, name: string) =>
    Object.entries(schema[name]?.columns ?? {})
      .filter(([, { key }]) => key > 0)
      .sort(([, a], [, b]) => a.key - b.key)
      .map(([column]) => column)
  const declared: Schema = Object.fromEntries(
    entities.map(({ name, table }) => [name, declaredTable(table, () => '')] as const),
  )

  test('every key of a tenant table begins with tenant_id, but for the feed id that orders the journal', () => {
    for (const name of cellTables.map(tableNameOf)) {
      expect([name, keysOf(declared, name)[0]]).toEqual([name, name === 'journal' ? 'feed_id' : 'tenant_id'])
      for (const { unique, columns } of Object.values(declared[name]?.indices ?? {})) {
        if (unique) expect([name, columns[0]]).toEqual([name, 'tenant_id'])
      }
    }
  })

  test('a table of the cell itself belongs to no tenant, and no tenant reaches it', () => {
    const { tenantTables } = guardedTables()
    for (const name of cellOwnTables.map(tableNameOf)) {
      expect(Object.keys(declared[name]?.columns ?? {})).not.toContain('tenant_id')
      expect(tenantTables.has(name)).toBe(false)
    }
  })
})

describe('what MySQL would decide by itself', () => {
  let scratch: ScratchDatabase
  beforeAll(async () => {
    scratch = await createScratchDatabase()
    await migrateMysql(scratch.server, systemClock)
  })
  afterAll(() => scratch?.[Symbol.asyncDispose]())

  test('every table is of InnoDB and has its own character set, whatever that of the database is', async () => {
    expect(await readMysqlTableOptions(scratch)).toEqual(['InnoDB Dynamic utf8mb4_0900_bin'])
  })

  // Each changes one thing of what the ones before have left.
  test.each([
    'ALTER TABLE users MODIFY subject varbinary(254) NOT NULL',
    'ALTER TABLE users MODIFY slug varchar(63) CHARACTER SET ascii COLLATE ascii_general_ci NOT NULL',
    'ALTER TABLE users MODIFY display_name varchar(200) CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_ai_ci NOT NULL',
    'ALTER TABLE users MODIFY display_name varchar(200) CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_ai_ci NULL',
    'ALTER TABLE users MODIFY display_name varchar(200) CHARACTER SET utf8mb3 COLLATE utf8mb3_bin NULL',
    "ALTER TABLE users ALTER COLUMN state SET DEFAULT 'ACTIVE'",
    'ALTER TABLE users MODIFY create_time datetime(6) NOT NULL',
    'ALTER TABLE users DROP PRIMARY KEY, ADD PRIMARY KEY (user_id, tenant_id)',
    'ALTER TABLE users DROP INDEX users_slug, ADD INDEX users_slug (tenant_id, slug)',
    'ALTER TABLE users DROP INDEX users_slug, ADD INDEX users_slug (slug, tenant_id)',
    'ALTER TABLE users DROP INDEX users_email, ADD INDEX users_email (tenant_id, email(100), slug)',
    'ALTER TABLE users DROP INDEX users_created, ADD INDEX users_created (tenant_id, create_time DESC, slug)',
    'ALTER TABLE users DROP INDEX users_created',
    'ALTER TABLE users ADD INDEX users_state (tenant_id, state)',
    'ALTER TABLE journal MODIFY feed_id bigint NOT NULL',
    'ALTER TABLE journal MODIFY record blob NOT NULL',
    'ALTER TABLE api_keys MODIFY secret_hash varbinary(32) NOT NULL',
    'ALTER TABLE api_keys DEFAULT CHARACTER SET latin1',
    'ALTER TABLE api_keys ROW_FORMAT=COMPACT',
    'ALTER TABLE api_keys ENGINE=MyISAM',
    'CREATE VIEW everyone AS SELECT * FROM users',
    "CREATE TRIGGER planted BEFORE INSERT ON users FOR EACH ROW SET NEW.display_name = 'x'",
    'DROP TABLE roles',
  ])('the comparison sees %s', async (statement) => {
    const seen = async () => ({ schema: await readMysqlSchema(scratch), options: await readMysqlTableOptions(scratch) })
    const before = await seen()
    await scratch.admin.query(statement)
    expect(await seen()).not.toEqual(before)
  })
})

/** What two engines must have alike: everything but how they write a type. */
function withoutTypes(schema: Schema): Schema {
  return Object.fromEntries(
    Object.entries(schema).map(([name, { columns, ...others }]) => [
      name,
      {
        ...others,
        columns: Object.fromEntries(Object.entries(columns).map(([key, column]) => [key, { ...column, type: '' }])),
      },
    ]),
  )
}
