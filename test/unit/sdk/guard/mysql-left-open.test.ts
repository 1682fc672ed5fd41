import type { QueryOptions } from 'mysql2'
import { createPool, type Pool, type PoolConnection } from 'mysql2/promise'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type GuardedMysqlPool, guardedMysqlPool } from '../../../../src/sdk/guard/guarded-mysql-pool.ts'
import type { GuardedMysqlConnection } from '../../../../src/sdk/guard/mysql-connection.ts'
import type { TenantDatabase } from '../../../../src/sdk/guard/tenant-database.ts'
import { createTenantGuard } from '../../../../src/sdk/guard/tenant-guard.ts'
import { contextOfTenant } from './contexts.ts'
import { createPoolRig, type PoolRig } from './mysql-pool-rig.ts'

// One connection for two tenants in turn: nothing one leaves behind in its session reaches the other.

let rig: PoolRig
let unguarded: Pool
let pool: GuardedMysqlPool
/** Every text that was sent on the connection of the pool, and whether this one is to fail. */
const sent: string[] = []
let failing: string | undefined

beforeAll(async () => {
  rig = await createPoolRig()
  unguarded = createPool({ ...rig.account, connectionLimit: 1 })
  const tables = { orders: { tenant: 'account_id', workspace: 'team_id' } }
  pool = guardedMysqlPool(await createTenantGuard({ dialect: 'mysql', tables }), watched(unguarded))
})
afterAll(async () => {
  await pool?.end()
  await rig?.[Symbol.asyncDispose]()
})
beforeEach(async () => {
  // First: a test that failed may have left locks behind.
  await pool.query('ROLLBACK')
  await rig.bare.query('DELETE FROM orders')
  sent.length = 0
  failing = undefined
})

/** The pool itself, whose connections tell what they were sent. */
function watched(from: Pool) {
  const watch = (connection: PoolConnection) => {
    const tell =
      (how: 'query' | 'execute') =>
      async (options: QueryOptions): Promise<[unknown, unknown]> => {
        sent.push(options.sql)
        if (options.sql === failing) throw new Error('it did not answer')
        return how === 'query' ? await connection.query(options) : await connection.execute(options)
      }
    return new Proxy(connection, {
      get(target, name) {
        if (name === 'query' || name === 'execute') return tell(name)
        const value: unknown = Reflect.get(target, name, target)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
  }
  return new Proxy(from, {
    get(target, name) {
      if (name === 'getConnection') return async () => watch(await target.getConnection())
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  }) as never
}

const acme = contextOfTenant(1)
const globex = contextOfTenant(2)
const insert = 'INSERT INTO orders (account_id, team_id, id, item) VALUES (?, ?, ?, ?)'
const rowOf = ({ tenantUid, workspaceUid }: typeof acme, id: string) => [tenantUid, workspaceUid, id, 'x']
const setLevel = 'SET TRANSACTION ISOLATION LEVEL READ COMMITTED'

const inAcme = <T>(work: (db: TenantDatabase) => Promise<T>): Promise<T> => pool.withTenant(acme, work)

async function leased(work: (connection: GuardedMysqlConnection) => Promise<unknown>): Promise<void> {
  await inAcme(async () => {
    await using connection = await pool.getConnection()
    await work(connection)
  })
}

/** globex writes without a transaction; what everybody else sees of the table then. */
async function seenAfterGlobexWrote(): Promise<readonly string[]> {
  await pool.withTenant(globex, (db) => db.query(insert, rowOf(globex, 'g')))
  const [rows] = await rig.bare.query('SELECT id FROM orders ORDER BY id')
  return (rows as { id: string }[]).map(({ id }) => id)
}

/** Whether a transaction of globex is as its server makes them: what it read once, it reads again. */
async function globexReadsTwiceTheSame(): Promise<boolean> {
  const count = 'SELECT COUNT(*) AS n FROM orders WHERE account_id = ? AND team_id = ?'
  return pool.withTenant(globex, (db) =>
    db.transaction(async (tx) => {
      const ask = async () => JSON.stringify((await tx.query(count, [globex.tenantUid, globex.workspaceUid]))[0])
      const first = await ask()
      await rig.bare.query(insert, rowOf(globex, 'phantom'))
      return (await ask()) === first
    }),
  )
}

describe('a transaction that was begun and not certainly ended goes with its lease', () => {
  const begin = (connection: GuardedMysqlConnection) => connection.beginTransaction()
  test.each<readonly [string, (connection: GuardedMysqlConnection) => Promise<unknown>]>([
    ['begun behind a commit on its way', (c) => begin(c).then(() => Promise.all([c.commit(), begin(c)]))],
    ['begun behind a rollback on its way', (c) => begin(c).then(() => Promise.all([c.rollback(), begin(c)]))],
    ['begun behind a prepared commit', (c) => begin(c).then(() => Promise.all([c.execute('COMMIT'), begin(c)]))],
    ['begun twice, ended once between', (c) => Promise.all([begin(c), c.commit(), begin(c)])],
  ])('%s', async (_, leave) => {
    await leased(async (connection) => {
      await leave(connection)
      await connection.query(insert, rowOf(acme, 'a'))
    })
    expect(await seenAfterGlobexWrote()).toEqual(['g'])
  })

  test('and what was not waited for when the connection is given back', async () => {
    const late: Promise<unknown>[] = []
    await leased(async (connection) => {
      late.push(begin(connection), connection.commit(), begin(connection), connection.query(insert, rowOf(acme, 'a')))
    })
    expect(await seenAfterGlobexWrote()).toEqual(['g'])
    await Promise.all(late)
    expect(sent.filter((sql) => sql === 'ROLLBACK')).toHaveLength(1)
  })

  test('what was committed stays, waited for or not', async () => {
    let late: Promise<unknown> | undefined
    await leased(async (connection) => {
      await begin(connection)
      late = Promise.all([connection.query(insert, rowOf(acme, 'a')), connection.commit()])
    })
    await late
    expect(await seenAfterGlobexWrote()).toEqual(['a', 'g'])
  })
})

describe('how the next transaction is to be, set in a lease, is no matter of the next borrower', () => {
  test.each<readonly [string, (connection: GuardedMysqlConnection) => Promise<unknown>]>([
    ['as the last statement', (c) => c.query(setLevel)],
    ['behind a transaction', (c) => Promise.all([c.beginTransaction(), c.commit(), c.query(setLevel)])],
    ['before a lookup', (c) => Promise.all([c.query(setLevel), c.ping()])],
    [
      'and behind a transaction that was left open',
      (c) => Promise.all([c.beginTransaction(), c.query(insert, rowOf(acme, 'a')), c.query(setLevel).catch(String)]),
    ],
  ])('%s', async (_, leave) => {
    await leased(leave)
    expect(await globexReadsTwiceTheSame()).toBe(true)
    expect(await seenAfterGlobexWrote()).toEqual(['g', 'phantom'])
  })

  test('by the handle of a tenant', async () => {
    await inAcme((db) => db.query(setLevel))
    expect(await globexReadsTwiceTheSame()).toBe(true)
  })
})

test('a connection that cannot be cleaned is never lent again', async () => {
  const thread = async () => {
    const connection = await unguarded.getConnection()
    const { threadId } = connection
    connection.release()
    return threadId
  }
  for (const [statement, leave] of [
    ['ROLLBACK', 'START TRANSACTION'],
    ['START TRANSACTION', setLevel],
  ] as const) {
    const before = await thread()
    await leased(async (connection) => {
      await connection.query(leave)
      await connection.query(insert, rowOf(acme, 'a')).catch(String)
      failing = statement
    })
    await expect.poll(thread).not.toBe(before)
    failing = undefined
    expect(await globexReadsTwiceTheSame()).toBe(true)
    await rig.bare.query('DELETE FROM orders')
  }
})

test('no lease asks more of the server than it must: none without transactions, none after those that ended', async () => {
  const rounds: readonly (readonly [readonly string[], readonly string[]])[] = [
    [['SELECT id FROM orders WHERE account_id = ? AND team_id = ?'], []],
    [['START TRANSACTION', 'COMMIT'], []],
    [['START TRANSACTION', 'ROLLBACK'], []],
    [[setLevel, 'START TRANSACTION', 'COMMIT'], []],
    [['COMMIT'], []],
    [['START TRANSACTION'], ['ROLLBACK']],
    [['START TRANSACTION', 'COMMIT', 'BEGIN'], ['ROLLBACK']],
    [[setLevel], ['ROLLBACK', 'START TRANSACTION', 'ROLLBACK']],
    [[setLevel, 'START TRANSACTION'], ['ROLLBACK']],
    [
      [setLevel, 'COMMIT'],
      ['ROLLBACK', 'START TRANSACTION', 'ROLLBACK'],
    ],
  ]
  for (const [statements, cleaning] of rounds) {
    sent.length = 0
    await leased(async (connection) => {
      for (const sql of statements) {
        await connection.query(sql, sql.includes('?') ? [acme.tenantUid, acme.workspaceUid] : [])
      }
    })
    await (await unguarded.getConnection()).release()
    expect(sent).toEqual([...statements, ...cleaning])
  }
})
