import type { EntityManager } from 'typeorm'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { guardedSqliteDriver } from '../../../../src/sdk/guard/guarded-sqlite-driver.ts'
import { createTenantGuard } from '../../../../src/sdk/guard/tenant-guard.ts'
import { outsideTenant, withTenant } from '../../../../src/sdk/guard/tenant-session.ts'
import type { TenantContext } from '../../../../src/sdk/tenant-context.ts'
import { testClock } from '../test-clock.ts'
import { SqliteDatabase } from './sqlite-class.ts'
import { openSqliteRig, type SqliteRig } from './sqlite-rig.ts'
import { acme, connectionOf, errorOf, globex, insertOrder, reasonOf, rowOf } from './sqlite-transactions.ts'

// The one transaction of a file that was not ended, or not as its work believes.

let rig: SqliteRig

beforeEach(async () => {
  rig = await openSqliteRig('enforce', testClock())
})
afterEach(async () => {
  await rig?.[Symbol.asyncDispose]()
})

const insert = (context: TenantContext, id: string, on: Pick<EntityManager, 'query'> = rig.dataSource) =>
  on.query(insertOrder, rowOf(context, id))

const kept = ({ bare } = rig): readonly string[] =>
  (bare.prepare("SELECT id FROM orders WHERE item = 'new' ORDER BY id").all() as { id: string }[]).map(({ id }) => id)

describe('a transaction that its withTenant leaves open', () => {
  test('is rolled back when the withTenant ends, and the next is anybody’s', async () => {
    await withTenant(acme, async () => {
      await rig.dataSource.query('BEGIN IMMEDIATE')
      await insert(acme, 'a')
    })
    expect(connectionOf(rig).inTransaction).toBe(false)
    rig.bare.exec('BEGIN IMMEDIATE; ROLLBACK')
    await withTenant(globex, () => rig.dataSource.transaction((manager) => insert(globex, 'g', manager)))
    expect(kept()).toEqual(['g'])
  })

  test('is rolled back with the inner withTenant that began it', async () => {
    await withTenant(acme, async () => {
      await withTenant(acme, async () => {
        await rig.dataSource.query('BEGIN')
        await insert(acme, 'a1')
      })
      await insert(acme, 'a2')
    })
    expect(kept()).toEqual(['a2'])
  })

  test('holds nobody up: TypeORM hears of it once, and begins again', async () => {
    for (const depth of [1, 2]) {
      await withTenant(acme, async () => {
        const runner = rig.dataSource.createQueryRunner()
        for (let n = 0; n < depth; n += 1) await runner.startTransaction()
        await insert(acme, `a${depth}`)
      })
      const attempt = (fails: boolean) =>
        errorOf(() =>
          withTenant(globex, () =>
            rig.dataSource.transaction(async (manager) => {
              await insert(globex, `g${depth}${fails}`, manager)
              if (fails) throw new Error('globex changes its mind')
            }),
          ),
        )
      for (let n = 0; n < depth; n += 1) {
        expect((await attempt(false))?.message).toContain('has ended: roll back, and begin again')
      }
      expect((await attempt(true))?.message).toBe('globex changes its mind')
      expect(await attempt(false)).toBeUndefined()
    }
    expect(kept()).toEqual(['g1false', 'g2false'])
  })

  test('when nobody waited for it: the rest of it is refused, and TypeORM has none open afterwards', async () => {
    const gate = Promise.withResolvers<void>()
    let floating: Promise<string | undefined> | undefined
    await withTenant(acme, async () => {
      const inside = Promise.withResolvers<void>()
      floating = reasonOf(() =>
        rig.dataSource.transaction(async (manager) => {
          await insert(acme, 'a1', manager)
          inside.resolve()
          await gate.promise
          await insert(acme, 'a2', manager)
        }),
      )
      await inside.promise
    })
    gate.resolve()
    expect(await floating).toBe('ended-context')
    expect(rig.dataSource.createQueryRunner().isTransactionActive).toBe(false)
    await withTenant(globex, () => rig.dataSource.transaction((manager) => insert(globex, 'g', manager)))
    expect(kept()).toEqual(['g'])
  })

  test('is tried again by the next statement where it could not be rolled back', async () => {
    let failures = 2
    class Stubborn extends SqliteDatabase {
      override exec(text: string): void {
        if (text === 'ROLLBACK' && failures > 0) {
          failures -= 1
          throw new Error('busy')
        }
        super.exec(text)
      }
    }
    const connection = new (guardedSqliteDriver(rig.guard, Stubborn))(':memory:')
    const begin = () => withTenant(acme, async () => connection.exec('BEGIN'))
    expect(await errorOf(begin)).toBeUndefined()
    expect((await errorOf(begin))?.message).toBe('busy')
    expect(await errorOf(begin)).toBeUndefined()
    connection.close()
  })

  test('has nothing to roll back where the connection was closed meanwhile', async () => {
    const connection = new (guardedSqliteDriver(rig.guard, SqliteDatabase))(':memory:')
    const work = withTenant(acme, async () => {
      connection.exec('BEGIN')
      connection.close()
      return 'done'
    })
    expect(await work).toBe('done')
  })
})

describe('whether a transaction is open is what SQLite says', () => {
  test('a BEGIN that fails opens none', async () => {
    rig.bare.exec('BEGIN IMMEDIATE')
    expect(await reasonOf(() => withTenant(acme, () => rig.dataSource.query('BEGIN IMMEDIATE')))).toMatch('locked')
    rig.bare.exec('ROLLBACK')
    await withTenant(globex, () => insert(globex, 'g'))
    expect(kept()).toEqual(['g'])
  }, 60_000)

  test('a COMMIT that fails leaves it open, and with its owner', async () => {
    const tables = { parts: { tenant: 'account_id', workspace: 'team_id' } }
    const guard = await createTenantGuard({ dialect: 'sqlite', tables })
    class WithParts extends SqliteDatabase {
      constructor(path: string) {
        super(path)
        const whole = 'whole_id TEXT REFERENCES parts (id) DEFERRABLE INITIALLY DEFERRED'
        super.exec(`CREATE TABLE parts (account_id TEXT, team_id TEXT, id TEXT PRIMARY KEY, ${whole})`)
      }
    }
    const connection = new (guardedSqliteDriver(guard, WithParts))(':memory:')
    const part = 'INSERT INTO parts (account_id, team_id, id, whole_id) VALUES (?, ?, ?, ?)'
    const add = ({ tenantUid, workspaceUid }: TenantContext, id: string, whole: string | null) =>
      connection.prepare(part).run(tenantUid, workspaceUid, id, whole)
    await withTenant(acme, async () => {
      connection.exec('BEGIN')
      add(acme, 'a', 'nowhere')
      expect(await reasonOf(() => connection.exec('COMMIT'))).toMatch('FOREIGN KEY')
      const crossing = () => withTenant(globex, async () => add(globex, 'g', null))
      expect(await reasonOf(() => outsideTenant(crossing))).toBe('crossed-context')
      connection.exec('ROLLBACK')
      expect(await reasonOf(() => outsideTenant(crossing))).toBeUndefined()
    })
    connection.close()
  })

  test('one that work of nobody began is nobody’s, until it ends it', async () => {
    await rig.dataSource.query('BEGIN')
    expect(await reasonOf(() => withTenant(globex, () => insert(globex, 'g')))).toBe('crossed-context')
    await rig.dataSource.query('COMMIT')
    await withTenant(globex, () => insert(globex, 'g'))
    expect(kept()).toEqual(['g'])
  })

  test('a driver that does not say it is refused in words', () => {
    class Mute extends SqliteDatabase {
      override get inTransaction(): boolean {
        return undefined as never
      }
    }
    expect(() => new (guardedSqliteDriver(rig.guard, Mute))(':memory:')).toThrow('a driver that has inTransaction')
  })
})
