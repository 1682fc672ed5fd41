import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
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

/** What an outage may fill: of one tenant, and of all. */
const maxPerTenant = 100
const maxKept = 20_000

let away: boolean
/** Begun by the log that was opened last. */
let transactions: number
let replica: string

beforeEach(() => {
  away = false
  replica = `replica-${crypto.randomUUID().slice(0, 8)}`
})

function awayNow(): never {
  throw new Error('the database is away')
}

/** A log of its own, over the databases of the kernel or another, which can be away. */
function openLog(cell: Database = kernel.platform.storage.cell) {
  transactions = 0
  const failures: { readonly count: number; readonly lost: boolean }[] = []
  const reached = (database: Database): Database => ({
    ...{ engine: database.engine, rowLock: database.rowLock, renew: () => undefined, onlyIf: () => undefined },
    read: (binding, work) => database.read(binding, work),
    write: async (binding, work) => {
      transactions += 1
      return away ? awayNow() : database.write(binding, work)
    },
    [Symbol.asyncDispose]: async () => undefined,
  })
  const log = createAccessLog({
    cell: reached(cell),
    directoryDatabase: reached(kernel.platform.storage.directory),
    capability: kernel.platform.capabilities['access-log'],
    directoryCapability: kernel.platform.capabilities['platform-access-log'],
    clock: { nowMs: () => Date.now(), monotonicMs: () => performance.now() },
    ids: { next: () => crypto.randomUUID() } as Parameters<typeof createAccessLog>[0]['ids'],
    replica,
    failed: (count, error) => void failures.push({ count, lost: error === undefined }),
  })
  return { log, failures }
}

function factOf(tenantId: string, target = 'target') {
  const actor = { principal: 'users/eve', credential: 'apiKeys/eve', requestId: 'r', clientIp: '' }
  return {
    ...{ tenantId: tenantId as TenantId, context: undefined, actor, event: 'users.get', target },
    ...{ denied: true, reason: 'PERMISSION_MISSING' },
  }
}

/** Targets in their order, and the sum of what the rows say was left out. */
async function written() {
  const rows = await kernel.sideDoor.all('SELECT target, record FROM journal WHERE chain = ? ORDER BY sequence', [
    `access/${replica}`,
  ])
  return { targets: rows.map(({ target }) => String(target)), suppressed: sumOf(rows.map(({ record }) => record)) }
}

function sumOf(records: readonly unknown[]): number {
  const counts = records.map((record) => {
    const text = Buffer.from(record as Uint8Array).toString('latin1')
    return Number(/suppressed\D+(\d+)/.exec(text)?.[1] ?? 0)
  })
  return counts.reduce((sum, count) => sum + count, 0)
}

test('accesses of an outage are written when it is over, in their order, and it is told of once', async () => {
  const { log, failures } = openLog()
  away = true
  for (let attempt = 0; attempt < 4; attempt += 1) {
    for (let at = 0; at < 10; at += 1) log.record(factOf(acme.uid, `t${attempt * 10 + at}`))
    await log.flush()
  }
  expect(failures).toEqual([{ count: 10, lost: false }])
  away = false
  await log.flush()
  const { targets, suppressed } = await written()
  expect([targets, suppressed]).toEqual([Array.from({ length: 40 }, (_, at) => `t${at}`), 0])
  away = true
  log.record(factOf(acme.uid))
  await log.flush()
  expect(failures).toHaveLength(2)
  await log[Symbol.asyncDispose]()
})

test('of one tenant so many accesses of an outage are kept, and the others are counted to the last one', async () => {
  const { log, failures } = openLog()
  away = true
  for (let at = 0; at < 2 * maxPerTenant + 7; at += 1) {
    log.record(factOf(acme.uid, `t${at}`))
    if (at % 40 === 0) await log.flush()
  }
  away = false
  await log.flush()
  const { targets, suppressed } = await written()
  expect(targets).toEqual(Array.from({ length: maxPerTenant }, (_, at) => `t${at}`))
  expect(suppressed).toBe(maxPerTenant + 7)
  expect(failures).toHaveLength(1)
  await log[Symbol.asyncDispose]()
})

test('over all tenants so many accesses are kept, and every other one is counted in what is written', async () => {
  const records: unknown[] = []
  const { log } = openLog(journalInMemory((record) => records.push(record)))
  const tenants = maxKept / maxPerTenant + 30
  away = true
  for (let at = 0; at < tenants * maxPerTenant; at += 1) {
    log.record(factOf(`00000000-0000-7000-8000-${String(at % tenants).padStart(12, '0')}`))
  }
  await log.flush()
  away = false
  await log.flush()
  expect(records).toHaveLength(maxKept)
  expect(sumOf(records)).toBe(tenants * maxPerTenant - maxKept)
  // There is room again.
  log.record(factOf(acme.uid))
  await log.flush()
  expect(records).toHaveLength(maxKept + 1)
  await log[Symbol.asyncDispose]()
})

test('a tenant whose accesses all came when nothing more could be kept has their number in its chain', async () => {
  const records: unknown[] = []
  const { log } = openLog(journalInMemory((record, tenantId) => tenantId === acme.uid && records.push(record)))
  away = true
  for (let at = 0; at < maxKept; at += 1) {
    log.record(factOf(`00000000-0000-7000-8000-${String(at % 200).padStart(12, '0')}`))
  }
  for (let at = 0; at < 5; at += 1) log.record(factOf(acme.uid))
  await log.flush()
  away = false
  await log.flush()
  expect(sumOf(records) + records.length).toBeGreaterThanOrEqual(5)
  await log[Symbol.asyncDispose]()
})

test('what cannot be written before the end is counted, to the last one', async () => {
  const { log, failures } = openLog()
  away = true
  for (let at = 0; at < maxPerTenant + 20; at += 1) log.record(factOf(acme.uid))
  await log[Symbol.asyncDispose]()
  expect(failures.at(-1)).toEqual({ count: maxPerTenant + 20, lost: true })
})

test('what was on its way when the end came, and nobody heard of again, is counted too', async () => {
  const hanging = { ...journalInMemory(() => undefined), write: () => new Promise<never>(() => undefined) }
  const { log, failures } = openLog(hanging)
  for (let at = 0; at < 7; at += 1) log.record(factOf(acme.uid))
  await log[Symbol.asyncDispose]()
  expect(failures).toEqual([{ count: 7, lost: true }])
})

test('an access that is waited for is written when whoever waits goes on, beyond every bound of those that are not', async () => {
  const { log } = openLog()
  for (let at = 0; at < maxPerTenant + 50; at += 1) log.record(factOf(acme.uid, `seen ${at}`))
  const targets = Array.from({ length: maxPerTenant + 50 }, (_, at) => `given ${at}`)
  await Promise.all(targets.map((target) => log.recordDurably(factOf(acme.uid, target))))
  expect((await written()).targets).toEqual(targets)
  await log.flush()
  const rows = await written()
  expect(rows.targets.filter((target) => target.startsWith('given'))).toEqual(targets)
  expect(rows.suppressed).toBe(50)
  await log[Symbol.asyncDispose]()
})

const tenantNumber = (at: number) => `00000000-0000-7000-8000-${String(at).padStart(12, '0')}`

test('accesses that are waited for at the same time share a transaction, whosever they are, each in its tenant’s chain', async () => {
  const { log } = openLog()
  const facts = Array.from({ length: 200 }, (_, at) => factOf(tenantNumber(at % 50), `t${at}`))
  await Promise.all(facts.map((fact) => log.recordDurably(fact)))
  expect(transactions).toBe(1)
  for (let at = 0; at < 3; at += 1) await log.recordDurably(factOf(tenantNumber(1), `more ${at}`))
  await log[Symbol.asyncDispose]()
  const rows = await kernel.sideDoor.all(
    'SELECT target, sequence FROM journal WHERE chain = ? AND tenant_id = ? ORDER BY sequence',
    [`access/${replica}`, tenantNumber(1)],
  )
  expect(rows.map(({ target }) => target)).toEqual(['t1', 't51', 't101', 't151', 'more 0', 'more 1', 'more 2'])
  const [end] = await kernel.sideDoor.all('SELECT sequence FROM audit_chains WHERE chain = ? AND tenant_id = ?', [
    `access/${replica}`,
    tenantNumber(1),
  ])
  expect([end?.sequence, rows.at(-1)?.sequence]).toEqual([7, 7])
})

test('one that cannot be written fails by itself, and takes no other along', async () => {
  const { log } = openLog()
  const poison = { ...factOf(tenantNumber(2)), details: { broken: 1n as unknown as number } }
  const outcomes = await Promise.allSettled([
    log.recordDurably(factOf(tenantNumber(1), 'good')),
    log.recordDurably(poison),
    log.recordDurably(factOf(tenantNumber(3), 'good')),
  ])
  expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
  await log.recordDurably(factOf(tenantNumber(2), 'good again'))
  expect((await written()).targets.sort()).toEqual(['good', 'good', 'good again'])
  await log[Symbol.asyncDispose]()
})

test('an access that cannot be written is refused to whoever waits, at once, and not kept for later', async () => {
  const { log, failures } = openLog()
  away = true
  await expect(log.recordDurably(factOf(acme.uid, 'refused'))).rejects.toThrow('the database is away')
  away = false
  await log.recordDurably(factOf(acme.uid, 'given'))
  await log.flush()
  expect([(await written()).targets, failures]).toEqual([['given'], []])
  await log[Symbol.asyncDispose]()
  await expect(log.recordDurably(factOf(acme.uid))).rejects.toMatchObject({ reason: 'SHUTTING_DOWN' })
})

test('no more accesses wait than the bound, and who comes then is told to come back', async () => {
  let free = (): void => undefined
  const freed = new Promise<void>((resolve) => {
    free = resolve
  })
  const slow = journalInMemory(() => undefined)
  const { write } = slow
  const { log } = openLog({ ...slow, write: async (binding, work) => freed.then(() => write(binding, work)) })
  const waiting = Array.from({ length: 5_000 }, () => log.recordDurably(factOf(acme.uid)))
  await expect(log.recordDurably(factOf(acme.uid))).rejects.toMatchObject({ reason: 'OVERLOADED', retryAfterMs: 1_000 })
  free()
  await Promise.all(waiting)
  await log.recordDurably(factOf(acme.uid))
  await log[Symbol.asyncDispose]()
})

const columnsOfJournal = 17

/** Tells of every journal row; every chain is a new one. Real rows would take too long. */
function journalInMemory(inserted: (record: unknown, tenantId: unknown) => void): Database {
  const query = async (sql: string, parameters: readonly unknown[]) => {
    if (!sql.startsWith('INSERT INTO journal')) return []
    for (let at = 0; at < parameters.length; at += columnsOfJournal) inserted(parameters[at + 9], parameters[at])
    return []
  }
  type Write = (binding: unknown, work: (manager: unknown) => Promise<{ value: unknown }>) => Promise<unknown>
  const write: Write = async (_binding, work) => (await work({ query })).value
  return {
    ...kernel.platform.storage.cell,
    engine: 'sqlite',
    rowLock: { forUpdate: '', forShare: '' },
    write,
  } as Database
}
