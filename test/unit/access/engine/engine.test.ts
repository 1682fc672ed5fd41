import { describe, expect, test } from 'vitest'
import { PermissionCatalogue } from '../../../../src/access/engine/catalogue.ts'
import { decide } from '../../../../src/access/engine/decision.ts'
import { createEngine } from '../../../../src/access/engine/engine.ts'
import type { EngineAlarm } from '../../../../src/access/engine/engine-alarm.ts'
import type { CommittedChange } from '../../../../src/access/engine/facts.ts'
import { TenantSnapshot } from '../../../../src/access/engine/tenant-snapshot.ts'
import type { TenantId } from '../../../../src/base/ids.ts'
import { acmeFacts, acmeId, membershipFact, tenantFact, testPermissions, uid, writerRoleId } from './fact-builders.ts'
import { MemoryFacts, type StoredTenant } from './memory-facts.ts'
import { alice } from './snapshot-rig.ts'

const membership = membershipFact()

/** Reads stop where the test says, until it lets them go on. */
class Gate {
  #waiting: { at: string; go: (error?: Error) => void }[] = []
  shut = ''

  readonly pass = (at: string, read: string): Promise<void> => {
    if (this.shut !== `${at} ${read}`) return Promise.resolve()
    return new Promise((resolve, reject) => {
      this.#waiting.push({ at, go: (error) => (error === undefined ? resolve() : reject(error)) })
    })
  }

  /** Lets go what waits; `shut` is where reads stop from then on. */
  async open(shut = '', error?: Error): Promise<void> {
    this.shut = shut
    for (const { go } of this.#waiting.splice(0)) go(error)
    await turn()
  }
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

function createRig(maxTenants = 10) {
  const gate = new Gate()
  const store = new MemoryFacts(gate.pass)
  store.put(acmeFacts())
  const alarms: EngineAlarm[] = []
  const catalogue = new PermissionCatalogue(testPermissions)
  const engine = createEngine({
    reader: store,
    catalogue,
    clock: { nowMs: () => 1_000, monotonicMs: () => 0 },
    maxTenants,
    alarm: (alarm) => alarms.push(alarm),
    directoryRevision: () => 1,
  })
  const reason = async (permission = 'orders.read', slug = 'acme') => {
    const snapshot = await engine.snapshotBySlug(slug)
    return snapshot && decide(snapshot, { subject: alice, workspace: 'prod', permission }, 1_000).reason
  }
  return { gate, store, alarms, catalogue, engine, reason }
}

type Rig = ReturnType<typeof createRig>

function commit({ store }: Rig, write: (stored: StoredTenant) => void = () => undefined): CommittedChange {
  return store.commit(acmeId, (stored) => {
    write(stored)
    return [['memberships', membership.membershipId]]
  })
}

const removeAlice = (stored: StoredTenant) => stored.memberships.delete(membership.membershipId)
const makeWriter = (stored: StoredTenant) =>
  stored.memberships.set(membership.membershipId, { ...membership, roles: [writerRoleId] })

describe('a tenant', () => {
  test('that is warm is had without waiting, by slug and by id', async () => {
    const rig = createRig()
    await rig.engine.snapshotBySlug('acme')
    expect(rig.engine.snapshotBySlug('acme')).toBeInstanceOf(TenantSnapshot)
    expect(rig.engine.snapshotById(acmeId)).toBe(rig.engine.snapshotBySlug('acme'))
    expect(rig.engine.stats()).toMatchObject({ tenants: 1, loads: 1 })
  })

  test('is loaded once however many ask', async () => {
    const rig = createRig()
    const all = await Promise.all(Array.from({ length: 50 }, () => rig.engine.snapshotBySlug('acme')))
    expect(new Set(all).size).toBe(1)
    expect(rig.store.wholeReads).toBe(1)
  })

  test('asked for by slug and by id at once is followed as one', async () => {
    const rig = createRig()
    const [one, other] = await Promise.all([rig.engine.snapshotBySlug('acme'), rig.engine.snapshotById(acmeId)])
    expect(one).toBe(other)
  })

  test('created after it was missed is found by the next question', async () => {
    const rig = createRig()
    expect(await rig.reason('orders.read', 'newborn')).toBeUndefined()
    rig.store.put(acmeFacts({ tenant: tenantFact({ tenantId: uid<TenantId>(2), slug: 'newborn' }) }))
    expect(await rig.reason('orders.read', 'newborn')).toBe('GRANTED')
  })

  test('created while its absence is being read is found by who asks after its commit', async () => {
    const rig = createRig()
    rig.gate.shut = 'after whole'
    const early = rig.reason('orders.read', 'newborn')
    await turn()
    const tenantId = uid<TenantId>(2)
    rig.store.put(acmeFacts({ tenant: tenantFact({ tenantId, slug: 'newborn' }) }))
    await rig.engine.committed({ tenantId, revision: 1, rows: [] })
    const late = rig.reason('orders.read', 'newborn')
    await rig.gate.open()
    expect(await early).toBeUndefined()
    expect(await late).toBe('GRANTED')
  })

  test('whose first reading fails is read again by the next question', async () => {
    const rig = createRig()
    rig.gate.shut = 'after whole'
    const failing = rig.reason()
    const seen = expect(failing).rejects.toThrow('connection lost')
    await turn()
    await rig.gate.open('', new Error('connection lost'))
    await seen
    expect(await rig.reason()).toBe('GRANTED')
  })

  test('least recently asked about leaves memory, and nothing is decided by what is left of it', async () => {
    const rig = createRig(2)
    for (const number of [2, 3]) {
      const tenant = tenantFact({ tenantId: uid<TenantId>(number), slug: `other-${number}` })
      rig.store.put(acmeFacts({ tenant }))
    }
    const held = await rig.engine.snapshotBySlug('acme')
    await rig.engine.snapshotBySlug('other-2')
    await rig.engine.snapshotBySlug('other-3')
    expect(rig.engine.stats().tenants).toBe(2)
    expect(held?.retired).toBe(true)
    expect(await rig.reason()).toBe('GRANTED')
    expect(rig.engine.snapshotBySlug('acme')).not.toBe(held)
  })
})

describe('a commit', () => {
  test('is reflected once the engine says so, by those who already hold the snapshot too', async () => {
    const rig = createRig()
    const held = await rig.engine.snapshotBySlug('acme')
    expect(await rig.reason()).toBe('GRANTED')
    await rig.engine.committed(commit(rig, removeAlice))
    expect(await rig.reason()).toBe('NO_ACCESS')
    expect(rig.engine.snapshotBySlug('acme')).toBe(held)
    expect(rig.store.wholeReads).toBe(1)
  })

  test('made while the tenant loads is in what the load gives out', async () => {
    const rig = createRig()
    rig.gate.shut = 'after whole'
    const asked = rig.reason()
    await turn()
    await rig.engine.committed(commit(rig, removeAlice))
    await rig.gate.open()
    expect(await asked).toBe('NO_ACCESS')
    expect(rig.engine.stats()).toMatchObject({ loads: 1, rowRereads: 1 })
  })

  test('made while the load catches up with another is in it too', async () => {
    const rig = createRig()
    rig.gate.shut = 'after whole'
    const asked = rig.reason()
    await turn()
    await rig.engine.committed(commit(rig, makeWriter))
    await rig.gate.open('after rows')
    await rig.engine.committed(commit(rig, removeAlice))
    await rig.gate.open()
    expect(await asked).toBe('NO_ACCESS')
  })

  test('made while an earlier one is being read again is not taken for read', async () => {
    const rig = createRig()
    await rig.reason()
    rig.gate.shut = 'after rows'
    const first = rig.engine.committed(commit(rig, makeWriter))
    await turn()
    const second = rig.engine.committed(commit(rig, removeAlice))
    await rig.gate.open()
    await Promise.all([first, second])
    expect(await rig.reason()).toBe('NO_ACCESS')
  })

  test('that cannot be read again drops the tenant, so that the next question sees it, and raises an alarm', async () => {
    const rig = createRig()
    const held = await rig.engine.snapshotBySlug('acme')
    rig.gate.shut = 'before rows'
    const done = rig.engine.committed(commit(rig, removeAlice))
    await turn()
    await rig.gate.open('', new Error('connection lost'))
    await done
    expect(held?.retired).toBe(true)
    expect(await rig.reason()).toBe('NO_ACCESS')
    expect(rig.alarms).toMatchObject([{ kind: 'REFRESH_FAILED', tenantId: acmeId }])
    expect(rig.store.wholeReads).toBe(2)
  })

  test('that a lagging reader does not see yet is never taken for reflected', async () => {
    const rig = createRig()
    await rig.reason()
    await rig.engine.committed({ ...commit(rig), revision: 99 })
    expect(rig.alarms).toMatchObject([{ kind: 'REFRESH_FAILED' }])
  })

  test('of more than 200 rows is one whole reading', async () => {
    const rig = createRig()
    await rig.reason()
    const change = commit(rig, removeAlice)
    const rows = Array.from({ length: 201 }, () => change.rows[0]).filter((row) => row !== undefined)
    await rig.engine.committed({ ...change, rows })
    expect(await rig.reason()).toBe('NO_ACCESS')
    expect(rig.engine.stats()).toMatchObject({ rowRereads: 0, wholeRereads: 1 })
  })

  test('of a tenant that is not in memory costs nothing', async () => {
    const rig = createRig()
    await rig.engine.committed(commit(rig))
    expect(rig.store.rowReads).toBe(0)
  })

  test('of a tenant that was restored to another timeline is one whole reading', async () => {
    const rig = createRig()
    await rig.reason()
    await rig.engine.committed(commit(rig))
    rig.store.put(acmeFacts({ tenant: tenantFact({ timelineId: uid(901), revision: 1 }), memberships: [] }))
    await rig.engine.committed(commit(rig))
    // The revision it carries is not above the old timeline's, so the next one that is decides.
    await rig.engine.committed(commit(rig))
    expect(await rig.reason()).toBe('NO_ACCESS')
    expect(rig.engine.stats().wholeRereads).toBe(1)
  })

  test('heard of without the one before it is reflected, but not claimed', async () => {
    const rig = createRig()
    await rig.reason()
    const before = commit(rig)
    const change = commit(rig, removeAlice)
    await rig.engine.committed(change)
    expect(await rig.reason()).toBe('NO_ACCESS')
    expect((await rig.engine.snapshotById(acmeId))?.revision).toBe(1)
    await rig.engine.committed(before)
    expect((await rig.engine.snapshotById(acmeId))?.revision).toBe(3)
  })

  test('missing for too long below others is made up for by a whole reading', async () => {
    const rig = createRig()
    await rig.reason()
    commit(rig)
    for (let count = 0; count < 70; count += 1) await rig.engine.committed(commit(rig))
    expect(rig.engine.stats().wholeRereads).toBe(1)
    expect((await rig.engine.snapshotById(acmeId))?.revision).toBe(72)
  })
})

describe('a revision waited for', () => {
  test('that is already in costs nothing', async () => {
    const rig = createRig()
    await rig.reason()
    expect(rig.engine.atLeast(acmeId, 1)).toBeUndefined()
  })

  test('that nobody has told of yet is read, whole', async () => {
    const rig = createRig()
    expect(await rig.reason()).toBe('GRANTED')
    const { revision } = commit(rig, removeAlice)
    await rig.engine.atLeast(acmeId, revision)
    expect(await rig.reason()).toBe('NO_ACCESS')
  })

  test('is not taken for reached because another commit`s re-read saw the head there', async () => {
    const rig = createRig()
    await rig.reason()
    const told = rig.store.commit(acmeId, () => [])
    const untold = commit(rig, removeAlice)
    await rig.engine.committed(told)
    await rig.engine.atLeast(acmeId, untold.revision)
    expect(await rig.reason()).toBe('NO_ACCESS')
  })

  test('beyond the head is STALE with a time to ask again, and reads no more than the head', async () => {
    const rig = createRig()
    await rig.reason()
    await expect(rig.engine.atLeast(acmeId, 50)).rejects.toMatchObject({ reason: 'STALE', retryAfterMs: 100 })
    expect(rig.engine.stats()).toMatchObject({ rowRereads: 1, wholeRereads: 0 })
    expect(await rig.reason()).toBe('GRANTED')
  })

  test('of a tenant that is not there is STALE', async () => {
    await expect(createRig().engine.atLeast(uid<TenantId>(77), 1)).rejects.toMatchObject({ reason: 'STALE' })
  })
})

describe('what is dropped', () => {
  test('is read afresh', async () => {
    const rig = createRig()
    await rig.reason()
    commit(rig, removeAlice)
    rig.engine.drop(acmeId)
    expect(await rig.reason()).toBe('NO_ACCESS')
  })

  test('while it loads is read once more before anyone sees it', async () => {
    const rig = createRig()
    rig.gate.shut = 'after whole'
    const asked = rig.reason()
    await turn()
    commit(rig, removeAlice)
    rig.engine.drop(acmeId)
    await rig.gate.open()
    expect(await asked).toBe('NO_ACCESS')
  })
})

test('a changed catalogue frees what was compiled', async () => {
  const rig = createRig()
  await rig.reason()
  expect(rig.engine.stats().compiledBindings).toBe(1)
  rig.catalogue.remove('stock.read')
  rig.engine.catalogueChanged()
  expect(rig.engine.stats().compiledBindings).toBe(0)
  expect(await rig.reason()).toBe('GRANTED')
})
