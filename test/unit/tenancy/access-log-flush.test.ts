import { afterAll, beforeAll, expect, test } from 'vitest'
import type { TenantId } from '../../../src/base/ids.ts'
import type { Database } from '../../../src/storage/database.ts'
import { createAccessLog } from '../../../src/tenancy/access-log.ts'
import { seedPermissions, seedTenant, type TenantFixture } from '../../support/fixture.ts'
import { type Kernel, openKernel } from '../../support/kernel.ts'

let kernel: Kernel
let acme: TenantFixture

beforeAll(async () => {
  kernel = await openKernel()
  await seedPermissions(kernel.test)
  acme = await seedTenant(kernel.test, 'acme')
})

afterAll(() => kernel[Symbol.asyncDispose]())

/** Over the real databases; every transaction takes so long. */
function openSlowLog(lastingMs: number) {
  const replica = `replica-${crypto.randomUUID().slice(0, 8)}`
  const failures: { count: number; lost: boolean }[] = []
  const inFlight = { now: 0, most: 0 }
  const slow = (database: Database): Database => ({
    ...{ engine: database.engine, rowLock: database.rowLock, renew: () => undefined, onlyIf: () => undefined },
    read: (binding, work) => database.read(binding, work),
    write: async (binding, work) => {
      inFlight.now += 1
      inFlight.most = Math.max(inFlight.most, inFlight.now)
      try {
        await new Promise((resolve) => setTimeout(resolve, lastingMs))
        return await database.write(binding, work)
      } finally {
        inFlight.now -= 1
      }
    },
    [Symbol.asyncDispose]: async () => undefined,
  })
  const log = createAccessLog({
    cell: slow(kernel.platform.storage.cell),
    directoryDatabase: slow(kernel.platform.storage.directory),
    capability: kernel.platform.capabilities['access-log'],
    directoryCapability: kernel.platform.capabilities['platform-access-log'],
    clock: { nowMs: () => Date.now(), monotonicMs: () => performance.now() },
    ids: { next: () => crypto.randomUUID() } as Parameters<typeof createAccessLog>[0]['ids'],
    replica,
    failed: (count, error) => void failures.push({ count, lost: error === undefined }),
  })
  const written = async () =>
    (
      await kernel.sideDoor.all('SELECT target FROM journal WHERE chain = ? ORDER BY sequence', [`access/${replica}`])
    ).map(({ target }) => String(target))
  return { log, failures, written, inFlight }
}

function factOf(target: string) {
  const actor = { principal: 'users/eve', credential: 'apiKeys/eve', requestId: 'r', clientIp: '' }
  return {
    ...{ tenantId: acme.uid as TenantId, context: undefined, actor, event: 'users.get', target },
    ...{ denied: true, reason: 'PERMISSION_MISSING' },
  }
}

test('everything recorded before a flush is durable after it, also where others wait for their accesses meanwhile', async () => {
  const { log, written } = openSlowLog(100)
  const first = log.recordDurably(factOf('given 1'))
  log.record(factOf('denied'))
  const second = log.recordDurably(factOf('given 2'))
  await log.flush()
  const atFlush = await written()
  await Promise.all([first, second])
  await log[Symbol.asyncDispose]()
  expect(atFlush).toContain('denied')
})

test('at the end nothing is told to be lost that is written, and nothing is left on its way', async () => {
  const { log, written, failures } = openSlowLog(100)
  const first = log.recordDurably(factOf('given 1'))
  log.record(factOf('denied'))
  const second = log.recordDurably(factOf('given 2'))
  await log[Symbol.asyncDispose]()
  const atEnd = await written()
  await Promise.allSettled([first, second])
  expect(failures).toEqual([])
  expect(atEnd).toContain('denied')
})

test('of one tenant there is one transaction at a time', async () => {
  const { log, inFlight } = openSlowLog(5)
  const end = Date.now() + 1_500
  const given: Promise<unknown>[] = []
  while (Date.now() < end) {
    given.push(log.recordDurably(factOf('given')).then(() => log.record(factOf('seen'))))
    log.record(factOf('denied'))
    if (given.length % 3 === 0) void log.flush()
    await new Promise((resolve) => setTimeout(resolve, given.length % 4))
  }
  await Promise.all(given)
  await log[Symbol.asyncDispose]()
  expect(inFlight.most).toBe(1)
})
