import type { EntityManager } from 'typeorm'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { guardViolationIn } from '../../../../src/sdk/guard/guard-violation.ts'
import { outsideTenant, withTenant } from '../../../../src/sdk/guard/tenant-session.ts'
import type { TenantContext } from '../../../../src/sdk/tenant-context.ts'
import { testClock } from '../test-clock.ts'
import { contextOfTenant } from './contexts.ts'
import { OrderTable, openSqliteRig, type SqliteRig } from './sqlite-rig.ts'
import { acme, connectionOf, errorOf, globex, insertOrder, reasonOf, rowOf } from './sqlite-transactions.ts'

// One connection for everybody, and one transaction at a time on it: what one tenant does inside its own is nobody else's.

let rig: SqliteRig
let lax: SqliteRig

beforeEach(async () => {
  rig = await openSqliteRig('enforce', testClock())
  lax = await openSqliteRig('report', testClock())
})
afterEach(async () => {
  await rig?.[Symbol.asyncDispose]()
  await lax?.[Symbol.asyncDispose]()
})

const insert = (context: TenantContext, id: string, on: Pick<EntityManager, 'query'> = rig.dataSource) =>
  on.query(insertOrder, rowOf(context, id))

const kept = ({ bare } = rig): readonly string[] =>
  (bare.prepare("SELECT id FROM orders WHERE item = 'new' ORDER BY id").all() as { id: string }[]).map(({ id }) => id)

interface Held {
  /** Lets the transaction of acme go on to its end, and answers what became of it. */
  end(outcome: 'keep' | 'fail'): Promise<Error | undefined>
}

/** acme is inside a transaction of TypeORM, with a row written, until it is told to end it. */
async function heldByAcme(on = rig): Promise<Held> {
  const inside = Promise.withResolvers<void>()
  const told = Promise.withResolvers<'keep' | 'fail'>()
  const ended = errorOf(() =>
    withTenant(acme, () =>
      on.dataSource.transaction(async (manager) => {
        await insert(acme, 'a', manager)
        inside.resolve()
        if ((await told.promise) === 'fail') throw new Error('acme changes its mind')
      }),
    ),
  )
  await Promise.race([inside.promise, ended])
  return {
    end(outcome) {
      told.resolve(outcome)
      return ended
    },
  }
}

describe('while one withTenant has a transaction open', () => {
  test('what it rolls back takes nothing along that another tenant was told is written', async () => {
    const held = await heldByAcme()
    const error = await errorOf(() => withTenant(globex, () => insert(globex, 'g')))
    expect(guardViolationIn(error)?.reason).toBe('crossed-context')
    expect(error?.message).toContain(
      'do the work on this file one after another, or give what works at once a DataSource',
    )
    expect((await held.end('fail'))?.message).toBe('acme changes its mind')
    expect(kept()).toEqual([])
    await withTenant(globex, () => insert(globex, 'g'))
    expect(kept()).toEqual(['g'])
    expect(rig.seen).toMatchObject([{ reason: 'crossed-context', tenantUid: globex.tenantUid, mode: 'enforce' }])
  })

  test.each(['COMMIT', 'ROLLBACK', 'BEGIN', 'SAVEPOINT typeorm_1', 'ROLLBACK TO SAVEPOINT typeorm_1'])(
    'nobody else ends it, begins in it or goes back in it: %s',
    async (control) => {
      const held = await heldByAcme()
      const connection = connectionOf(rig)
      for (const context of [globex, contextOfTenant(1, 'staging'), contextOfTenant(1)]) {
        const within = (work: () => unknown) => reasonOf(() => withTenant(context, async () => work()))
        expect(await within(() => rig.dataSource.query(control))).toBe('crossed-context')
        expect(await within(() => connection.exec(control))).toBe('crossed-context')
        expect(await within(() => connection.prepare(control).run())).toBe('crossed-context')
      }
      expect(await reasonOf(() => rig.dataSource.query(control))).toBe('crossed-context')
      expect(await held.end('keep')).toBeUndefined()
      expect(kept()).toEqual(['a'])
    },
  )

  test('nothing else reads in it either: not another tenant, not work of nobody, not what was prepared before', async () => {
    const connection = connectionOf(rig)
    const early = connection.prepare('SELECT code FROM countries')
    const held = await heldByAcme()
    const shared = () => rig.dataSource.query('SELECT code FROM countries')
    expect(await reasonOf(() => withTenant(globex, shared))).toBe('crossed-context')
    expect(await reasonOf(shared)).toBe('crossed-context')
    expect(await reasonOf(() => outsideTenant(shared))).toBe('crossed-context')
    expect(await reasonOf(() => withTenant(globex, async () => early.all()))).toBe('crossed-context')
    await held.end('keep')
    expect(await withTenant(globex, async () => early.all())).toHaveLength(2)
  })

  test('transactions of TypeORM that are refused leave its query runner fit for the next, and that of acme whole', async () => {
    const held = await heldByAcme()
    const attempt = () =>
      reasonOf(() => withTenant(globex, () => rig.dataSource.transaction((manager) => insert(globex, 'g', manager))))
    const save = () =>
      reasonOf(() =>
        withTenant(globex, () => rig.dataSource.getRepository(OrderTable).save({ ...keysOf(globex), id: 'g' })),
      )
    expect(await Promise.all([attempt(), save(), attempt()])).toEqual(Array(3).fill('crossed-context'))
    expect(await held.end('keep')).toBeUndefined()
    expect(kept()).toEqual(['a'])
    expect(await attempt()).toBeUndefined()
    expect(kept()).toEqual(['a', 'g'])
  })

  test('its own work goes on in it: statements, savepoints, and a withTenant of the same place inside it', async () => {
    await withTenant(acme, () =>
      rig.dataSource.transaction(async (manager) => {
        await insert(acme, 'a1', manager)
        await manager.transaction((inner) => insert(acme, 'a2', inner))
        await errorOf(() =>
          manager.transaction(async (inner) => {
            await insert(acme, 'a3', inner)
            throw new Error('only this part')
          }),
        )
        await withTenant(acme, () => withTenant(acme, () => insert(acme, 'a4', manager)))
        expect(kept()).toEqual([])
      }),
    )
    expect(kept()).toEqual(['a1', 'a2', 'a4'])
  })

  test('work inside a withTenant that has ended since still belongs to the one that goes on', async () => {
    await withTenant(acme, () =>
      rig.dataSource.transaction(async (manager) => {
        const gate = Promise.withResolvers<void>()
        let late: Promise<unknown> | undefined
        await withTenant(acme, async () => {
          late = withTenant(acme, async () => {
            await gate.promise
            await insert(acme, 'late', manager)
          })
        })
        gate.resolve()
        await late
      }),
    )
    expect(kept()).toEqual(['late'])
  })
})

const keysOf = (context: TenantContext) => ({ account: context.tenantUid, team: context.workspaceUid, item: 'new' })

test('in the mode report everything runs as it did, and what lands in a transaction of somebody else is told of', async () => {
  const held = await heldByAcme(lax)
  await withTenant(globex, () => insert(globex, 'g', lax.dataSource))
  expect((await held.end('fail'))?.message).toBe('acme changes its mind')
  expect(kept(lax)).toEqual([])
  await withTenant(acme, () => lax.dataSource.query('BEGIN'))
  await withTenant(acme, () => insert(acme, 'a', lax.dataSource))
  await withTenant(acme, () => lax.dataSource.query('COMMIT'))
  expect(kept(lax)).toEqual(['a'])
  expect(lax.seen.map(({ reason, tenantUid, statement }) => [reason, tenantUid, statement])).toEqual([
    ['crossed-context', globex.tenantUid, insertOrder],
    ['crossed-context', acme.tenantUid, insertOrder],
    ['crossed-context', acme.tenantUid, 'COMMIT'],
  ])
})
