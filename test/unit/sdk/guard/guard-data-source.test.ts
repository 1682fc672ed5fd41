import type { EntityManager } from 'typeorm'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { guardDataSource } from '../../../../src/sdk/guard/guard-data-source.ts'
import { guardViolationIn } from '../../../../src/sdk/guard/guard-violation.ts'
import { tenantRepository } from '../../../../src/sdk/guard/tenant-repository.ts'
import { withTenant } from '../../../../src/sdk/guard/tenant-session.ts'
import { testClock } from '../test-clock.ts'
import { contextOfTenant, levelOfTenant, tenantUid, workspaceUid } from './contexts.ts'
import { InvoiceTable, OrderTable, openSqliteRig, type SqliteRig } from './sqlite-rig.ts'

const clock = testClock()
let rig: SqliteRig
let lax: SqliteRig

beforeAll(async () => {
  rig = await openSqliteRig('enforce', clock)
  lax = await openSqliteRig('report', clock)
})
afterAll(async () => {
  await rig?.[Symbol.asyncDispose]()
  await lax?.[Symbol.asyncDispose]()
})
afterEach(() => {
  for (const { seen, told } of [rig, lax]) {
    seen.length = 0
    told.length = 0
  }
  // The next test begins with an empty tally.
  clock.advance(600_000)
})

const acme = contextOfTenant(1)

async function reasonOf(work: () => Promise<unknown>): Promise<string | undefined> {
  try {
    await work()
    return undefined
  } catch (error) {
    return guardViolationIn(error)?.reason ?? String(error)
  }
}

describe('a raw query cannot go round the guard', () => {
  const statements: readonly (readonly [string, string, readonly unknown[]])[] = [
    ['unpinned-tenant', 'SELECT * FROM orders', []],
    ['unpinned-tenant', 'UPDATE orders SET item = ?', ['stolen']],
    ['unpinned-tenant', 'DELETE FROM orders WHERE id = ?', ['o21']],
    ['foreign-tenant', 'DELETE FROM orders WHERE account_id = ? AND team_id = ?', [tenantUid(2), workspaceUid(1)]],
    ['comment', 'SELECT * FROM orders -- WHERE account_id = ?', []],
  ]
  test.each(statements)('%s: %s', async (reason, sql, values) => {
    const { dataSource } = rig
    const within = (work: () => Promise<unknown>) => reasonOf(() => withTenant(acme, work))
    expect(await within(() => dataSource.query(sql, [...values]))).toBe(reason)
    expect(await within(() => dataSource.manager.query(sql, [...values]))).toBe(reason)
    const inTransaction = (manager: EntityManager) => manager.query(sql, [...values])
    expect(await within(() => dataSource.transaction(inTransaction))).toBe(reason)
    const runner = dataSource.createQueryRunner()
    expect(await within(() => runner.query(sql, [...values]))).toBe(reason)
    expect(rig.bare.prepare('SELECT COUNT(*) AS n FROM orders WHERE item = ?').all('x')).toEqual([{ n: 4 }])
  })

  test('the connection the ORM holds is the guarded one', async () => {
    const connection = (rig.dataSource.driver as unknown as { databaseConnection: object }).databaseConnection
    const { prepare, exec, pragma } = connection as Record<string, (text: string) => unknown>
    const call = (method: unknown, text: string) =>
      reasonOf(async () => (method as (text: string) => unknown).call(connection, text))
    await withTenant(acme, async () => {
      expect(await call(prepare, 'SELECT * FROM orders')).toBe('unpinned-tenant')
      expect(await call(exec, 'DELETE FROM orders')).toBe('unpinned-tenant')
      expect(await call(pragma, 'writable_schema = ON')).toBe('word')
    })
    expect(Object.values(connection)).toEqual([])
  })

  test('a statement prepared in the work of one tenant is judged anew in that of another', async () => {
    const { dataSource } = rig
    const sql = 'SELECT id FROM orders WHERE account_id = ? AND team_id = ?'
    const keys = [acme.tenantUid, acme.workspaceUid]
    expect(await withTenant(acme, () => dataSource.query(sql, keys))).toEqual([{ id: 'o11' }])
    expect(await reasonOf(() => withTenant(contextOfTenant(2), () => dataSource.query(sql, keys)))).toBe(
      'foreign-tenant',
    )
    expect(await reasonOf(() => dataSource.query(sql, keys))).toBe('unbound')
    expect(await dataSource.query('SELECT code FROM countries')).toHaveLength(2)
  })

  test('two tenants at once over one connection stay apart', async () => {
    const find = (n: number) =>
      withTenant(contextOfTenant(n), async () => {
        const orders = tenantRepository(rig.guard, rig.dataSource.getRepository(OrderTable), contextOfTenant(n))
        await Promise.resolve()
        return (await orders.find()).map(({ id }) => id)
      })
    const found = await Promise.all(Array.from({ length: 40 }, (_, at) => find((at % 2) + 1)))
    expect(found).toEqual(Array.from({ length: 40 }, (_, at) => [`o${(at % 2) + 1}1`]))
  })
})

describe('a repository of a tenant', () => {
  test('finds, counts, makes, changes and removes rows of its place alone', async () => {
    await withTenant(acme, async () => {
      const orders = tenantRepository(rig.guard, rig.dataSource.getRepository(OrderTable), acme)
      const made = await orders.insert({ id: 'new', item: 'lamp' })
      expect(made).toEqual({ id: 'new', item: 'lamp', account: acme.tenantUid, team: acme.workspaceUid })
      expect(await orders.count({ where: { item: 'lamp' } })).toBe(1)
      expect((await orders.find({ where: [{ id: 'new' }, { id: 'o21' }], order: { id: 'ASC' } })).length).toBe(1)
      await orders.update({ id: 'new' }, { item: 'desk' })
      expect((await orders.findOne({ where: { id: 'new' } }))?.item).toBe('desk')
      await orders.delete({ id: 'new' })
      expect(await orders.findOne({ where: { id: 'new' } })).toBeUndefined()
      await orders.delete({ id: 'o21' })
      expect(await orders.findOne({ where: { id: 'o21' } })).toBeUndefined()
    })
    expect(rig.bare.prepare('SELECT id FROM orders ORDER BY id').all()).toHaveLength(4)
  })

  test('takes its keys from the context and from nobody else, and writes only where it is said which rows', async () => {
    const orders = tenantRepository(rig.guard, rig.dataSource.getRepository(OrderTable), acme)
    const account = tenantUid(2)
    await expect(orders.find({ where: { account } })).rejects.toThrow('account comes from the context')
    await expect(orders.insert({ account, id: 'x', item: 'x' })).rejects.toThrow('account comes from the context')
    expect(() => orders.update({ id: 'o11' }, { team: 'x' })).toThrow('team comes from the context')
    expect(() => orders.update({}, { item: 'x' })).toThrow('say which rows')
    expect(() => orders.delete({})).toThrow('say which rows')
    const repository = rig.dataSource.getRepository(OrderTable)
    expect(() => tenantRepository(rig.guard, repository, levelOfTenant(1))).toThrow('belong to a workspace')
    const invoices = tenantRepository(rig.guard, rig.dataSource.getRepository(InvoiceTable), levelOfTenant(1))
    expect(await withTenant(levelOfTenant(1), () => invoices.count())).toBe(0)
  })
})

describe('in the mode report', () => {
  test('every statement runs, and each that would be refused is told of', async () => {
    const { dataSource } = lax
    const rows = await withTenant(acme, () => dataSource.query('SELECT id FROM orders WHERE item = ?', ['x']))
    expect(rows).toHaveLength(4)
    expect(await dataSource.query("SELECT id FROM orders WHERE item = 'x'")).toHaveLength(4)
    const place = { tenantUid: acme.tenantUid, workspaceUid: acme.workspaceUid, workspaceSlug: 'prod', mode: 'report' }
    expect(lax.told).toMatchObject([
      { reason: 'unpinned-tenant', statement: 'SELECT id FROM orders WHERE item = ?', count: 1, ...place },
      { reason: 'string-literal', statement: "SELECT id FROM orders WHERE item = '…'", tenantUid: undefined },
    ])
    expect(lax.guard.violations()).toMatchObject([{ count: 1 }, { count: 1 }])
  })

  test('a statement in a loop is told of at 1, 10, 100 and 1,000, and counted to the last', async () => {
    await withTenant(acme, async () => {
      for (let n = 0; n < 1_234; n += 1) await lax.dataSource.query('SELECT id FROM orders')
    })
    expect(lax.told.map(({ count }) => count)).toEqual([1, 10, 100, 1_000])
    expect(lax.guard.violations()).toMatchObject([{ count: 1_234 }])
    expect(lax.seen).toHaveLength(1_234)
  })

  test('a thousand different statements are told of five hundred times, until the next ten minutes', async () => {
    for (let n = 0; n < 1_000; n += 1) await lax.dataSource.query(`SELECT id AS c${n} FROM orders`)
    expect([lax.told.length, lax.guard.violations().length]).toEqual([500, 500])
    clock.advance(600_000)
    await lax.dataSource.query('SELECT id FROM orders')
    expect([lax.told.length, lax.guard.violations().length]).toEqual([501, 1])
  })

  test('a listener that throws stops nothing', async () => {
    lax.told.push = () => {
      throw new Error('the log is full')
    }
    try {
      expect(await lax.dataSource.query('SELECT id FROM orders')).toHaveLength(4)
    } finally {
      Reflect.deleteProperty(lax.told, 'push')
    }
  })
})

test('a DataSource the guard cannot stand before is refused in words', () => {
  const options = { type: 'better-sqlite3', database: ':memory:' } as const
  expect(() => guardDataSource(rig.guard, options)).toThrow('driver has to be the driver itself')
  const mysql = { type: 'mysql', driver: {} } as const
  expect(() => guardDataSource(rig.guard, mysql)).toThrow('a guard of sqlite cannot stand before a DataSource of mysql')
})
