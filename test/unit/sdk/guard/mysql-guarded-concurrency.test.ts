import { setTimeout as pause } from 'node:timers/promises'
import fc from 'fast-check'
import { DataSource, EntitySchema } from 'typeorm'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { guardDataSource } from '../../../../src/sdk/guard/guard-data-source.ts'
import { guardViolationIn } from '../../../../src/sdk/guard/guard-violation.ts'
import type { TenantDatabase } from '../../../../src/sdk/guard/tenant-database.ts'
import { withTenant } from '../../../../src/sdk/guard/tenant-session.ts'
import type { TenantContext } from '../../../../src/sdk/tenant-context.ts'
import { askForTransactions } from '../../../support/ask-for-transactions.ts'
import { contextOfTenant } from './contexts.ts'
import { createPoolRig, type OpenedPool, type PoolRig } from './mysql-pool-rig.ts'

// Many tenants over few connections, at once: whatever one of them does wrong, no other sees a row, a transaction or a
// connection of it.

let rig: PoolRig
let opened: OpenedPool
let dataSource: DataSource

interface Order {
  readonly account: string
  readonly team: string
  readonly id: string
  readonly item: string
}

const OrderTable = new EntitySchema<Order>({
  name: 'orders',
  columns: {
    account: { name: 'account_id', type: 'char', length: 36, primary: true },
    team: { name: 'team_id', type: 'char', length: 36, primary: true },
    id: { type: 'varchar', length: 64, primary: true },
    item: { type: 'varchar', length: 200 },
  },
})

beforeAll(async () => {
  rig = await createPoolRig()
  opened = await rig.open('enforce', { connectionLimit: 3 })
  const { host, port, user: username, password, database } = rig.account
  const options = { host, port, username, password, database, poolSize: 3, entities: [OrderTable] }
  const driver = await import('mysql2')
  dataSource = new DataSource(guardDataSource(opened.guard, { type: 'mysql', ...options, driver }))
  await dataSource.initialize()
})
afterAll(async () => {
  await dataSource?.destroy()
  await rig?.[Symbol.asyncDispose]()
})

const columns = 'SELECT account_id, team_id, id FROM orders WHERE account_id = ? AND team_id = ?'

type Rows = readonly { readonly account_id: string; readonly team_id: string; readonly id: string }[]

interface World {
  readonly kept: Set<string>
  leaks: number
}

const acts = [
  'insert',
  'transaction',
  'failed transaction',
  'left open',
  'abandoned',
  'killed',
  'orm',
  'orm fails',
] as const
type Act = (typeof acts)[number]

/** One piece of a request's work; what it says it kept has to be there at the end, and nothing else. */
async function perform(act: Act, id: string, context: TenantContext, db: TenantDatabase, world: World): Promise<void> {
  const row = { id, item: 'x' }
  const keep = () => world.kept.add(`${context.tenantUid} ${context.workspaceUid} ${id}`)
  const insert = 'INSERT INTO orders (account_id, team_id, id, item) VALUES (?, ?, ?, ?)'
  const values = [context.tenantUid, context.workspaceUid, id, 'x']
  switch (act) {
    case 'insert':
      await db.table('orders').insert(row)
      keep()
      return
    case 'transaction':
      await db.transaction(async (tx) => {
        await tx.table('orders').insert(row)
        await pause(1)
        await tx.query(columns, values.slice(0, 2))
      })
      keep()
      return
    case 'failed transaction':
      await db.transaction(async (tx) => {
        await tx.table('orders').insert(row)
        throw new Error('this request fails')
      })
      return
    case 'left open': {
      const connection = await opened.pool.getConnection()
      await connection.beginTransaction()
      await connection.query(insert, values)
      connection.release()
      return
    }
    case 'abandoned': {
      const connection = await opened.pool.getConnection()
      await connection.beginTransaction()
      await connection.execute(insert, values)
      return
    }
    case 'killed': {
      const connection = await opened.pool.getConnection()
      await connection.beginTransaction()
      await connection.query(insert, values)
      connection.destroy()
      return
    }
    case 'orm':
      await dataSource.transaction(async (manager) => {
        const account = context.tenantUid
        await manager.getRepository(OrderTable).insert({ account, team: context.workspaceUid, ...row })
      })
      keep()
      return
    case 'orm fails':
      await dataSource.getRepository(OrderTable).insert({ account: 'somebody', team: 'else', ...row })
  }
}

async function request(n: number, request: number, plan: readonly Act[], world: World): Promise<void> {
  const context = contextOfTenant(n, request % 2 === 0 ? 'prod' : 'staging')
  const own = (rows: Rows) =>
    rows.every((row) => row.account_id === context.tenantUid && row.team_id === context.workspaceUid)
  try {
    await opened.pool.withTenant(context, async (db) => {
      // Whoever holds a connection it never gives back and asks for another waits for itself: that comes last.
      const inOrder = [
        ...plan.filter((act) => act !== 'abandoned'),
        ...plan.filter((act) => act === 'abandoned').slice(0, 1),
      ]
      for (const [at, act] of inOrder.entries()) {
        await perform(act, `${request}-${at}`, context, db, world)
        if (act === 'abandoned') return
        const keys = [context.tenantUid, context.workspaceUid]
        const seen: readonly Rows[] = [
          (await db.query<Rows>(columns, keys))[0],
          (await opened.pool.query<Rows>(columns, keys))[0],
          await dataSource.query(columns, keys),
        ]
        if (!seen.every(own)) world.leaks += 1
        await dataSource.query('SELECT item FROM orders').then(
          () => {
            world.leaks += 1
          },
          () => undefined,
        )
      }
    })
  } catch (error) {
    if (guardViolationIn(error) === undefined && !(error instanceof Error && /request fails/.test(error.message)))
      throw error
  }
}

test('tenants at once over three connections never see each other, whatever their requests leave behind', async () => {
  const requests = fc.array(fc.array(fc.constantFrom(...acts), { minLength: 1, maxLength: 4 }), {
    minLength: 60,
    maxLength: 60,
  })
  const seed = 20_261_122
  for (const plans of fc.sample(requests, { numRuns: 4, seed })) {
    await rig.bare.query('DELETE FROM orders')
    const world: World = { kept: new Set(), leaks: 0 }
    await Promise.all(plans.map((plan, at) => request((at % 7) + 1, at, plan, world)))
    expect(world.leaks).toBe(0)
    const [rows] = await rig.bare.query('SELECT account_id, team_id, id FROM orders')
    const there = (rows as unknown as Rows).map((row) => `${row.account_id} ${row.team_id} ${row.id}`)
    expect(there.sort()).toEqual([...world.kept].sort())
    // Every connection came back, and none inside a transaction.
    expect(await openTransactions()).toEqual([{ n: 0 }])
    const free = await Promise.all([1, 2, 3].map(() => opened.pool.getConnection()))
    for (const connection of free) connection.release()
  }
}, 60_000)

function openTransactions(): Promise<unknown> {
  const sql =
    'SELECT COUNT(*) AS n FROM information_schema.innodb_trx t JOIN information_schema.processlist p ON p.id = t.trx_mysql_thread_id WHERE p.db = ?'
  return askForTransactions(async () => (await rig.bare.query(sql, [rig.account.database]))[0])
}

test('a query runner that outlives its request, and one of another tenant, run nothing', async () => {
  const acme = contextOfTenant(1)
  const keys = [acme.tenantUid, acme.workspaceUid]
  const runner = await withTenant(acme, async () => {
    const made = dataSource.createQueryRunner()
    await made.connect()
    expect(await made.query(columns, keys)).toBeInstanceOf(Array)
    return made
  })
  const reasonOf = (work: Promise<unknown>) =>
    work.then(
      () => undefined,
      (error: unknown) => guardViolationIn(error)?.reason,
    )
  expect(await reasonOf(runner.query(columns, keys))).toBe('ended-context')
  expect(await reasonOf(withTenant(contextOfTenant(2), () => runner.query(columns, keys)))).toBe('ended-context')
  await runner.release()
  expect(await reasonOf(dataSource.query(columns, keys))).toBe('unbound')
  expect(await reasonOf(dataSource.manager.find(OrderTable))).toBe('unbound')
})
