import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { QueryFailedError } from 'typeorm'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { bindConnection } from '../../../src/sql-guard/connection-binding.ts'
import { createGuard } from '../../../src/sql-guard/guard.ts'
import { createNodeSqliteDriver } from '../../../src/storage/sqlite/node-sqlite-driver.ts'
import { isBusy, isDiskFull, isUniqueViolation } from '../../../src/storage/sqlite/sqlite-errors.ts'
import {
  ACME,
  MemberTable,
  openGuardedDataSource,
  openSeededDataSource,
  PROD,
  type SeededDataSource,
  TABLES,
} from './guarded-data-source.ts'

let rig: SeededDataSource

beforeEach(async () => {
  rig = await openSeededDataSource()
})

afterEach(async () => {
  await rig[Symbol.asyncDispose]()
})

describe('opening', () => {
  test('the file is in WAL with full durability, foreign keys on and its schema untrusted', () => {
    using _migration = rig.bind({ kind: 'migration' })
    expect(rig.connection.pragma('journal_mode')).toEqual([{ journal_mode: 'wal' }])
    expect(rig.connection.pragma('synchronous')).toEqual([{ synchronous: 2 }])
    expect(rig.connection.pragma('foreign_keys')).toEqual([{ foreign_keys: 1 }])
    expect(rig.connection.pragma('trusted_schema')).toEqual([{ trusted_schema: 0 }])
    expect(() => rig.connection.prepare('SELECT "no_such_column"')).toThrow('no such column')
  })

  test('a read-only connection reads beside the writer and cannot write', async () => {
    await using reader = await openGuardedDataSource(join(rig.folder, 'cell.db'), true)
    await reader.asTenant(ACME, PROD, async () => {
      const members = reader.dataSource.getRepository(MemberTable)
      expect(await members.countBy({ tenant_id: ACME })).toBe(3)
      await expect(members.delete({ tenant_id: ACME, id: 'm1' })).rejects.toThrow('readonly')
    })
  })

  test('a read-only connection refuses a file that is not in WAL', async () => {
    const path = join(rig.folder, 'rollback-journal.db')
    const plain = new DatabaseSync(path)
    plain.exec('CREATE TABLE t (x)')
    plain.close()
    await expect(openGuardedDataSource(path, true)).rejects.toThrow('journal_mode')
  })

  test('a file that must exist is not created', async () => {
    const guard = await createGuard({ dialect: 'sqlite', tables: TABLES, sink: { refused: () => {} } })
    const Driver = createNodeSqliteDriver({ guard })
    expect(() => new Driver(join(rig.folder, 'missing.db'), { fileMustExist: true })).toThrow('does not exist')
  })
})

describe('errors', () => {
  test('a duplicate key is recognised through TypeORM and nothing else is taken for one', async () => {
    await rig.asTenant(ACME, PROD, async () => {
      const insert = rig.dataSource.getRepository(MemberTable).insert({ tenant_id: ACME, id: 'm1', name: 'twice' })
      const error: unknown = await insert.catch((caught: unknown) => caught)
      expect(error).toBeInstanceOf(QueryFailedError)
      expect(isUniqueViolation(error)).toBe(true)
      expect(isBusy(error) || isDiskFull(error)).toBe(false)
      const missing: unknown = await rig.dataSource
        .query('INSERT INTO members (tenant_id, id) VALUES (?, ?)', [ACME, 'm8'])
        .catch((caught: unknown) => caught)
      expect(isUniqueViolation(missing)).toBe(false)
    })
    expect(isUniqueViolation(new Error('UNIQUE constraint failed'))).toBe(false)
  })

  test('a lock held past the timeout is recognised as busy', async () => {
    const holder = new DatabaseSync(join(rig.folder, 'cell.db'))
    holder.exec('BEGIN IMMEDIATE')
    const guard = await createGuard({ dialect: 'sqlite', tables: TABLES, sink: { refused: () => {} } })
    const Driver = createNodeSqliteDriver({ guard })
    const connection = new Driver(join(rig.folder, 'cell.db'), { timeout: 10 })
    try {
      using _binding = bindConnection(connection, { kind: 'platform', purpose: 'census' })
      connection.prepare('BEGIN IMMEDIATE').run()
      expect.unreachable()
    } catch (error) {
      expect(isBusy(error)).toBe(true)
    } finally {
      connection.close()
      holder.close()
    }
  })

  test('a full disk is recognised', () => {
    using _migration = rig.bind({ kind: 'migration' })
    rig.connection.pragma('max_page_count = 1')
    try {
      rig.connection.exec('CREATE TABLE big AS SELECT randomblob(10000000) AS x')
      expect.unreachable()
    } catch (error) {
      expect(isDiskFull(error)).toBe(true)
    }
  })
})
