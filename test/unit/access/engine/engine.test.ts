import { describe, expect, test } from 'vitest'
import { decide } from '../../../../src/access/engine/decision.ts'
import { TenantSnapshot } from '../../../../src/access/engine/tenant-snapshot.ts'
import type { TenantId } from '../../../../src/base/ids.ts'
import { commit, createRig, removeAlice, turn } from './engine-rig.ts'
import { acmeFacts, acmeId, tenantFact, uid } from './fact-builders.ts'
import { alice } from './snapshot-rig.ts'

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

test('compiled bindings have one bound over all tenants, and the tenants least asked about give theirs up', async () => {
  const rig = createRig(10, 4)
  const bindingIn = async (slug: string) => {
    const snapshot = await rig.engine.snapshotBySlug(slug)
    return snapshot && decide(snapshot, { subject: alice, workspace: 'prod', permission: '' }, 1_000).binding
  }
  const slugs = [2, 3, 4, 5].map((number) => `other-${number}`)
  for (const [at, slug] of slugs.entries()) {
    rig.store.put(acmeFacts({ tenant: tenantFact({ tenantId: uid<TenantId>(at + 2), slug }) }))
  }
  const before = []
  for (const slug of slugs) before.push(await bindingIn(slug))
  expect(rig.engine.stats().compiledBindings).toBe(4)
  await bindingIn('acme')
  expect(rig.engine.stats().compiledBindings).toBe(3)
  expect(await bindingIn('other-5')).toBe(before[3])
  expect(await bindingIn('other-4')).toBe(before[2])
  expect(await bindingIn('other-2')).not.toBe(before[0])
  rig.engine.drop(uid<TenantId>(5))
  expect(rig.engine.stats().compiledBindings).toBe(3)
})
