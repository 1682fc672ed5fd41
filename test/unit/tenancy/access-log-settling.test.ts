import type { EntityManager } from 'typeorm'
import { expect, test } from 'vitest'
import type { TenantId } from '../../../src/base/ids.ts'
import type { Database } from '../../../src/storage/database.ts'
import { createAccessLog } from '../../../src/tenancy/access-log.ts'
import { seedPermissions, seedTenant } from '../../support/fixture.ts'
import { openKernel } from '../../support/kernel.ts'

/**
 * The real database. The COMMIT of the second transaction is lost on its way there, and settled as
 * src/storage/mysql/transaction.ts does, while a third has come in between.
 */
function losingSecondCommit(cell: Database): Database['write'] {
  const rolledBack = Promise.withResolvers<void>()
  const otherCommitted = Promise.withResolvers<void>()
  let begun = 0
  return async (binding, work) => {
    begun += 1
    const mine = begun
    if (mine === 1) await new Promise((resolve) => setTimeout(resolve, 50))
    if (mine === 3) await rolledBack.promise
    if (mine !== 2) {
      const done = await cell.write(binding, work)
      if (mine === 3) otherCommitted.resolve()
      return done
    }
    let wasCommitted: ((manager: EntityManager) => Promise<boolean>) | undefined
    const value = await cell.write(binding, async (manager) => {
      const written = await work(manager)
      wasCommitted = written.wasCommitted
      return { value: written.value, keep: false }
    })
    rolledBack.resolve()
    await Promise.race([otherCommitted.promise, new Promise((resolve) => setTimeout(resolve, 1_000))])
    const was = await cell.write(binding, async (manager) => ({
      value: await wasCommitted?.(manager),
      keep: false,
    }))
    if (was !== true) throw new Error('it was not committed')
    return value
  }
}

test('an access whose COMMIT was lost is not taken for written because another one was', async () => {
  await using kernel = await openKernel()
  await seedPermissions(kernel.test)
  const acme = await seedTenant(kernel.test, 'acme')
  const replica = `replica-${crypto.randomUUID().slice(0, 8)}`
  const { cell } = kernel.platform.storage
  const write = losingSecondCommit(cell)
  const log = createAccessLog({
    cell: {
      ...{
        engine: cell.engine,
        rowLock: cell.rowLock,
        read: cell.read,
        renew: () => undefined,
        onlyIf: () => undefined,
      },
      write,
      [Symbol.asyncDispose]: async () => undefined,
    },
    directoryDatabase: kernel.platform.storage.directory,
    capability: kernel.platform.capabilities['access-log'],
    directoryCapability: kernel.platform.capabilities['platform-access-log'],
    clock: { nowMs: () => Date.now(), monotonicMs: () => performance.now() },
    ids: { next: () => crypto.randomUUID() } as Parameters<typeof createAccessLog>[0]['ids'],
    replica,
    failed: () => undefined,
  })
  const factOf = (target: string) => ({
    ...{
      tenantId: acme.uid as TenantId,
      context: undefined,
      event: 'secrets.access',
      target,
      denied: false,
      reason: '',
    },
    actor: { principal: 'users/eve', credential: 'apiKeys/eve', requestId: 'r', clientIp: '' },
  })
  const first = log.recordDurably(factOf('first'))
  // Some other call of the tenant is refused in the same turn of the loop.
  void first.then(() => log.record(factOf('a denial')))
  const second = log.recordDurably(factOf('the secret'))
  void log.flush()
  const outcome = await second.then(
    () => 'the secret leaves',
    () => 'refused',
  )
  await log[Symbol.asyncDispose]()
  const rows = await kernel.sideDoor.all('SELECT target FROM journal WHERE chain = ?', [`access/${replica}`])
  const targets = rows.map(({ target }) => String(target))
  expect(outcome === 'refused' || targets.includes('the secret')).toBe(true)
})
