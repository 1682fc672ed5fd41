import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { TenantDatabase } from '../../../../src/sdk/guard/tenant-database.ts'
import { contextOfTenant, levelOfTenant, tenantUid, workspaceUid } from './contexts.ts'
import { createPoolRig, type OpenedPool, type PoolRig } from './mysql-pool-rig.ts'

let rig: PoolRig
let opened: OpenedPool

beforeAll(async () => {
  rig = await createPoolRig()
  opened = await rig.open()
})
afterAll(async () => {
  await rig?.[Symbol.asyncDispose]()
})
beforeEach(async () => {
  await rig.bare.query('DELETE FROM orders')
  await rig.bare.query('INSERT INTO orders (account_id, team_id, id, item) VALUES (?)', [
    [tenantUid(2), workspaceUid(2), 'foreign', 'lamp'],
  ])
})

interface Order {
  readonly account_id: string
  readonly team_id: string
  readonly id: string
  readonly item: string
  readonly quantity: number
  readonly made: Date | null
}

const acme = contextOfTenant(1)
const inAcme = <T>(work: (db: TenantDatabase) => Promise<T>): Promise<T> => opened.pool.withTenant(acme, work)

describe('the rows of one place', () => {
  test('are made, found, counted, changed and removed, and nobody else has any of it', async () => {
    await inAcme(async (db) => {
      const orders = db.table<Order>('orders')
      const made = new Date('2026-11-22T10:00:00.000Z')
      expect(await orders.insert({ id: 'a', item: 'lamp', quantity: 2, made })).toBe(1)
      expect(await orders.insert(['b', 'c', 'd'].map((id) => ({ id, item: 'desk' })))).toBe(3)
      const row = await orders.findOne({ id: 'a' })
      expect(row).toMatchObject({ account_id: acme.tenantUid, team_id: acme.workspaceUid, item: 'lamp', quantity: 2 })
      expect(row?.made?.getTime()).toBe(made.getTime())
      const ids = async (find: Parameters<typeof orders.find>[0]) => (await orders.find(find)).map(({ id }) => id)
      expect(await ids({ orderBy: { item: 'desc', id: 'desc' } })).toEqual(['a', 'd', 'c', 'b'])
      expect(await ids({ where: { item: 'desk' }, orderBy: { id: 'asc' }, limit: 2 })).toEqual(['b', 'c'])
      expect(await ids({ where: { id: ['a', 'd', 'foreign'] }, orderBy: { id: 'asc' } })).toEqual(['a', 'd'])
      expect(await ids({ where: { made: null }, orderBy: { id: 'asc' }, columns: ['id'] })).toEqual(['b', 'c', 'd'])
      expect(await ids({ where: { id: [] } })).toEqual([])
      expect([await orders.count(), await orders.count({ item: 'lamp' })]).toEqual([4, 1])
      expect(await orders.update({ item: 'desk' }, { quantity: 7 })).toBe(3)
      expect(await orders.update({ id: 'foreign' }, { quantity: 7 })).toBe(0)
      expect(await orders.delete({ id: 'foreign' })).toBe(0)
      expect(await orders.delete({ quantity: 7 })).toBe(3)
    })
    const [rows] = await rig.bare.query('SELECT id, item, quantity FROM orders ORDER BY id')
    expect(rows).toEqual([
      { id: 'a', item: 'lamp', quantity: 2 },
      { id: 'foreign', item: 'lamp', quantity: 1 },
    ])
  })

  test('keys come from the context, names are names, and a write says which rows', async () => {
    await inAcme(async (db) => {
      const orders = db.table<Order>('orders')
      await expect(orders.find({ where: { account_id: tenantUid(2) } })).rejects.toThrow('comes from the context')
      await expect(orders.insert({ team_id: 'x', id: 'x', item: 'x' })).rejects.toThrow('comes from the context')
      await expect(orders.update({ id: 'x' }, { account_id: 'x' })).rejects.toThrow('comes from the context')
      for (const name of ['id` OR 1=1 -- ', '1d', 'a.b', '']) {
        await expect(orders.find({ where: { [name]: 1 } })).rejects.toThrow('no name of a column')
        await expect(orders.find({ orderBy: { [name]: 'asc' } })).rejects.toThrow('no name of a column')
        await expect(orders.find({ columns: [name] })).rejects.toThrow('no name of a column')
        await expect(orders.insert({ [name]: 1 })).rejects.toThrow('no name of a column')
      }
      await expect(orders.find({ limit: 1.5 })).rejects.toThrow('whole number')
      await expect(orders.find({ where: { id: undefined as never } })).rejects.toThrow('undefined')
      await expect(orders.update({}, { item: 'x' })).rejects.toThrow('say which rows')
      await expect(orders.delete({})).rejects.toThrow('say which rows')
      await expect(
        orders.insert([
          { id: 'x', item: 'x' },
          { item: 'x', id: 'y' },
        ]),
      ).rejects.toThrow('same columns')
      expect(() => db.table('countries')).toThrow('not among the tables')
      expect(() => db.table('constructor')).toThrow('not among the tables')
    })
  })

  test('a transaction is all or nothing, and one inside another is refused: MySQL would commit the first half', async () => {
    await inAcme(async (db) => {
      const failed = db.transaction(async (tx) => {
        await tx.table('orders').insert({ id: 'a', item: 'x' })
        await tx.transaction(async () => undefined)
      })
      await expect(failed).rejects.toThrow('of a transaction already')
      expect(await db.table('orders').count()).toBe(0)
    })
  })

  test('a tenant itself writes rows of its own', async () => {
    await opened.pool.withTenant(levelOfTenant(1), async (db) => {
      await db.table('invoices').insert({ id: 'i1', total: 100 })
      expect(await db.table('invoices').findOne({ id: 'i1' })).toMatchObject({ account_id: tenantUid(1), total: 100 })
    })
  })
})

describe('a session in which the guard would read another text than the server', () => {
  test.each([
    ["SET SESSION sql_mode = 'STRICT_TRANS_TABLES,NO_BACKSLASH_ESCAPES'", {}],
    [undefined, { charset: 'GBK_CHINESE_CI' }],
    ['SET SESSION autocommit = 0', {}],
  ])('is refused: %s', async (statement, options) => {
    const { pool } = await rig.open('enforce', options, statement)
    await expect(pool.query('SELECT code FROM countries')).rejects.toThrow('cannot vouch for sessions')
  })
})

test('in the mode report a pool runs everything as it always did, and tells', async () => {
  const { pool, violations } = await rig.open('report')
  const [rows] = await pool.withTenant(acme, (db) => db.query('SELECT id FROM orders'))
  expect(rows).toEqual([{ id: 'foreign' }])
  const [listed] = await pool.query({ sql: 'SELECT id FROM orders WHERE id IN (?)', values: [['foreign', 'x']] })
  expect(listed).toEqual([{ id: 'foreign' }])
  const named = { sql: 'SELECT id FROM orders WHERE id = :id', values: { id: 'foreign' }, namedPlaceholders: true }
  expect((await pool.query(named))[0]).toEqual([{ id: 'foreign' }])
  // As it is written where values are put into texts.
  const written = pool.format('SELECT ?? FROM orders WHERE id = ?', ['id', "it's"])
  expect(written).toBe("SELECT `id` FROM orders WHERE id = 'it\\'s'")
  expect((await pool.query(written))[0]).toEqual([])
  await using connection = await pool.getConnection()
  await connection.ping()
  const byHand = `SELECT ${connection.escapeId('id')} FROM orders WHERE id = ${connection.escape('foreign')}`
  expect((await connection.query(byHand))[0]).toEqual([{ id: 'foreign' }])
  expect(violations.every(({ statement }) => !/foreign|it's/.test(statement))).toBe(true)
  expect(new Set(violations.map(({ reason }) => reason))).toEqual(
    new Set(['unpinned-tenant', 'placeholder', 'unbound', 'string-literal']),
  )
})
