import { describe, expect, test } from 'vitest'
import { commit, createRig, makeWriter, removeAlice, turn } from './engine-rig.ts'
import { acmeFacts, acmeId, tenantFact, uid } from './fact-builders.ts'

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

  test('that comes with all it made is in decisions at once, and nothing is read', async () => {
    const rig = createRig()
    await rig.reason()
    const done = rig.engine.committed(rig.store.withFacts(commit(rig, removeAlice)))
    expect(await rig.reason()).toBe('NO_ACCESS')
    await done
    expect(rig.engine.stats()).toMatchObject({ rowRereads: 0, wholeRereads: 0 })
    expect(rig.engine.atLeast(acmeId, 2)).toBeUndefined()
  })

  test('that comes with all it made while an older one is being read waits for that, or it would be undone by it', async () => {
    const rig = createRig()
    await rig.reason()
    rig.gate.shut = 'after rows'
    const first = rig.engine.committed(commit(rig, makeWriter))
    await turn()
    const second = rig.engine.committed(rig.store.withFacts(commit(rig, removeAlice)))
    await rig.gate.open()
    await Promise.all([first, second])
    expect(await rig.reason()).toBe('NO_ACCESS')
  })

  test('that comes with all it made, but behind one nobody has told of, is read', async () => {
    const rig = createRig()
    await rig.reason()
    commit(rig, removeAlice)
    await rig.engine.committed(rig.store.withFacts(rig.store.commit(acmeId, () => [])))
    await rig.engine.atLeast(acmeId, 3)
    expect(await rig.reason()).toBe('NO_ACCESS')
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
