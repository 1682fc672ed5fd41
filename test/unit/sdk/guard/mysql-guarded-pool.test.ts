import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { guardViolationIn } from '../../../../src/sdk/guard/guard-violation.ts'
import type { TenantDatabase } from '../../../../src/sdk/guard/tenant-database.ts'
import { outsideTenant, withTenant } from '../../../../src/sdk/guard/tenant-session.ts'
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
  opened.violations.length = 0
  await rig.bare.query('DELETE FROM orders')
  for (const n of [1, 2]) {
    for (const workspace of [1, 2]) {
      const row = [tenantUid(n), workspaceUid(n, workspace), `o${n}${workspace}`, `item of ${n}/${workspace}`]
      await rig.bare.query('INSERT INTO orders (account_id, team_id, id, item) VALUES (?)', [row])
    }
  }
})

const acme = contextOfTenant(1)
const globex = contextOfTenant(2)
const own = 'SELECT id FROM orders WHERE account_id = ? AND team_id = ?'
const ownKeys = [acme.tenantUid, acme.workspaceUid]

async function reasonOf(work: () => Promise<unknown>): Promise<string | undefined> {
  try {
    await work()
    return undefined
  } catch (error) {
    return guardViolationIn(error)?.reason ?? String(error)
  }
}

const inAcme = <T>(work: (db: TenantDatabase) => Promise<T>): Promise<T> => opened.pool.withTenant(acme, work)

describe('a statement that is not pinned to the tenant never reaches the server', () => {
  test.each<readonly [string, string, readonly unknown[]]>([
    ['unpinned-tenant', 'SELECT * FROM orders', []],
    ['unpinned-workspace', 'SELECT * FROM orders WHERE account_id = ?', [acme.tenantUid]],
    ['foreign-tenant', own, [globex.tenantUid, acme.workspaceUid]],
    ['foreign-workspace', own, [acme.tenantUid, workspaceUid(1, 2)]],
    ['operator', `${own} || 1`, ownKeys],
    ['comment', `${own} /*! OR 1=1 */`, ownKeys],
    ['stacked', `${own}; SELECT * FROM orders`, ownKeys],
    ['unpinned-tenant', 'UPDATE orders SET quantity = ? WHERE id = ?', [9, 'o21']],
    [
      'key-assignment',
      'UPDATE orders SET account_id = ? WHERE account_id = ? AND team_id = ?',
      [globex.tenantUid, ...ownKeys],
    ],
    ['unpinned-tenant', 'DELETE FROM orders WHERE id = ?', ['o21']],
    [
      'foreign-tenant',
      'INSERT INTO orders (account_id, team_id, id, item) VALUES (?, ?, ?, ?)',
      [globex.tenantUid, acme.workspaceUid, 'x', 'x'],
    ],
    ['unknown-table', 'SELECT * FROM secrets', []],
    ['parameter-type', own, [{ toSqlString: () => '1 OR 1' }, acme.workspaceUid]],
    ['parameter-type', own, [[acme.tenantUid], acme.workspaceUid]],
    ['qualified-table', 'SELECT * FROM mysql.user', []],
  ])('%s: %s', async (reason, sql, values) => {
    for (const how of ['query', 'execute'] as const) {
      expect(await reasonOf(() => inAcme((db) => db[how](sql, values)))).toBe(reason)
      expect(await reasonOf(() => withTenant(acme, () => opened.pool[how](sql, values)))).toBe(reason)
      expect(await reasonOf(() => inAcme((db) => db.transaction((tx) => tx[how](sql, values))))).toBe(reason)
      expect(await reasonOf(() => inAcme((db) => db[how]({ sql, values })))).toBe(reason)
    }
    const [rows] = await rig.bare.query('SELECT SUM(quantity) AS sum, COUNT(*) AS rows_there FROM orders')
    expect(rows).toEqual([{ sum: '4', rows_there: 4 }])
  })

  test('a value by name, and an option the guard does not know, are refused', async () => {
    const named = { sql: 'SELECT id FROM orders WHERE account_id = :a', namedPlaceholders: true, values: { a: 'x' } }
    expect(await reasonOf(() => inAcme((db) => db.query(named)))).toBe('placeholder')
    const cast = { sql: own, values: ownKeys, typeCast: () => 'x' }
    expect(await reasonOf(() => inAcme((db) => db.query(cast)))).toBe('placeholder')
  })

  test('a text that changes between the look and the run is read once', async () => {
    let looks = 0
    const shifty = {
      get sql() {
        looks += 1
        return looks === 1 ? own : 'SELECT id FROM orders'
      },
      values: ownKeys,
    }
    expect((await inAcme((db) => db.query(shifty)))[0]).toEqual([{ id: 'o11' }])
    // Written into the text as they say, these would be `… AND made > 1 OR 1=1` and the like.
    const hostile = () => '1 OR 1=1'
    const made = Object.assign(new Date(0), { toSqlString: hostile, [Symbol.toStringTag]: 'x' })
    const bytes = Object.assign(Buffer.from('x'), { toString: () => "' OR 1=1 OR '" })
    expect((await inAcme((db) => db.query(`${own} AND made > ?`, [...ownKeys, made])))[0]).toEqual([])
    expect((await inAcme((db) => db.query(`${own} AND item = ?`, [...ownKeys, bytes])))[0]).toEqual([])
  })

  test('what is refused says why and carries no value', async () => {
    const secret = 'value-of-a-customer'
    const thrown = await inAcme((db) => db.query('SELECT id FROM orders WHERE item = ?', [secret])).catch(
      (error) => error,
    )
    expect(JSON.stringify([thrown, thrown.message, thrown.stack, opened.violations])).not.toContain(secret)
    expect(opened.violations).toEqual([
      {
        ...{ reason: 'unpinned-tenant', mode: 'enforce', statement: 'SELECT id FROM orders WHERE item = ?' },
        ...{
          tenantUid: acme.tenantUid,
          tenantSlug: 'tenant-1',
          workspaceUid: acme.workspaceUid,
          workspaceSlug: 'prod',
        },
      },
    ])
  })
})

describe('outside every withTenant', () => {
  test('no table of a tenant can be reached, shared ones can', async () => {
    expect(await reasonOf(() => opened.pool.query(own, ownKeys))).toBe('unbound')
    expect(
      await reasonOf(() =>
        opened.pool.query('INSERT INTO invoices (account_id, id, total) VALUES (?, ?, ?)', [tenantUid(1), 'i', 1]),
      ),
    ).toBe('unbound')
    expect((await opened.pool.query('SELECT code FROM countries ORDER BY code'))[0]).toEqual([
      { code: 'de' },
      { code: 'fr' },
    ])
    expect((await inAcme((db) => db.query('SELECT code FROM countries WHERE code = ?', ['de'])))[0]).toEqual([
      { code: 'de' },
    ])
    await using connection = await opened.pool.getConnection()
    expect(await reasonOf(() => withTenant(acme, () => connection.query(own, ownKeys)))).toBe('unbound')
    expect(await reasonOf(() => opened.pool.query('SET SESSION sql_mode = ?', ['']))).toBe('word')
  })

  test('what a request starts for everybody leaves its tenant behind', async () => {
    const reason = await withTenant(acme, () => reasonOf(() => outsideTenant(() => opened.pool.query(own, ownKeys))))
    expect(reason).toBe('unbound')
  })
})

describe('the handle of one tenant', () => {
  test('is refused in the work of another, and once its own work has ended', async () => {
    let kept: TenantDatabase | undefined
    let late: Promise<string | undefined> | undefined
    await inAcme(async (db) => {
      kept = db
      expect(await reasonOf(() => db.query(own, ownKeys))).toBeUndefined()
      late = pause(20).then(() => reasonOf(() => opened.pool.query(own, ownKeys)))
    })
    expect(await reasonOf(async () => kept?.query(own, ownKeys))).toBe('ended-context')
    expect(await late).toBe('ended-context')
    await inAcme(async (db) => {
      const crossing = outsideTenant(() => opened.pool.withTenant(globex, () => reasonOf(() => db.query(own, ownKeys))))
      expect(await crossing).toBe('crossed-context')
    })
  })

  test('nested: the same place is entered again, another tenant or workspace is refused', async () => {
    await inAcme(async (db) => {
      expect(await inAcme((again) => again.query(own, ownKeys))).toMatchObject([[{ id: 'o11' }], {}])
      expect(await reasonOf(() => db.query(own, ownKeys))).toBeUndefined()
      await expect(opened.pool.withTenant(globex, async () => 'in')).rejects.toThrow('refused')
      await expect(withTenant(contextOfTenant(1, 'staging'), async () => 'in')).rejects.toThrow('refused')
      await expect(withTenant(levelOfTenant(1), async () => 'in')).rejects.toThrow('refused')
    })
  })

  test('a tenant itself reaches its own rows, and those of its workspaces only where it says so', async () => {
    const level = levelOfTenant(1)
    const all = 'SELECT id FROM orders WHERE account_id = ? ORDER BY id'
    expect(await reasonOf(() => opened.pool.withTenant(level, (db) => db.query(all, [level.tenantUid])))).toBe(
      'unpinned-workspace',
    )
    const [rows] = await opened.pool.withTenant(level, (db) => db.query(all, [level.tenantUid]), {
      allWorkspaces: true,
    })
    expect(rows).toEqual([{ id: 'o11' }, { id: 'o12' }])
    await expect(opened.pool.withTenant(acme, async () => 'in', { allWorkspaces: true })).rejects.toThrow(TypeError)
  })
})
