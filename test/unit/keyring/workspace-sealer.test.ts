import { afterEach, beforeEach, expect, test } from 'vitest'
import type { TenantId, WorkspaceId } from '../../../src/base/ids.ts'
import type { Keyring } from '../../../src/keyring/keyring.ts'
import { meteredKeyring } from '../../../src/keyring/metered-keyring.ts'
import { createWorkspaceSealer, type WorkspaceSealer } from '../../../src/keyring/workspace-sealer.ts'
import { failureOf } from '../../contract/keyring/keyring-failure.ts'
import { type LocalRig, makeLocalRig, realRandom, steppingClock } from '../../contract/keyring/local-rig.ts'

const place = {
  purpose: 'secret-version',
  tenantId: '01890000-0000-7000-8000-00000000000a' as TenantId,
  workspaceId: '01890000-0000-7000-8000-000000000001' as WorkspaceId,
  objectId: '01890000-0000-7000-8000-000000000002',
  version: 3,
}
const value = Buffer.from('correct horse battery staple')
const cacheMs = 60_000

let rig: LocalRig
let asked: string[]
let nowMs: number
let feedAgeMs: number
let sealer: WorkspaceSealer
const isFirst = async () => true
let keyring: Keyring

beforeEach(async () => {
  rig = await makeLocalRig()
  asked = []
  nowMs = 1_000
  feedAgeMs = 0
  const clock = { ...steppingClock(), monotonicMs: () => nowMs }
  keyring = meteredKeyring(await rig.open(), clock, (operation) => void asked.push(operation))
  sealer = createWorkspaceSealer({ keyring, clock, random: realRandom, cacheMs, feedAgeMs: () => feedAgeMs })
})

afterEach(async () => {
  sealer[Symbol.dispose]()
  await rig[Symbol.asyncDispose]()
})

async function seal(at = place, plaintext = value): Promise<Uint8Array> {
  using prepared = await sealer.prepare(at, isFirst)
  return prepared.seal(at, plaintext)
}

test('the first value of a workspace makes its key, and every other asks the keyring once', async () => {
  await seal()
  expect(asked).toEqual(['generateDataKey', 'createKey', 'generateDataKey'])
  asked = []
  await seal()
  expect(asked).toEqual(['generateDataKey'])
})

test('a value opens at its place and at no other', async () => {
  const sealed = await seal()
  expect(await sealer.open(place, sealed)).toEqual(value)
  const other = '01890000-0000-7000-8000-0000000000ff'
  const changes = [
    { purpose: 'encryption' },
    { tenantId: other as TenantId },
    { workspaceId: other as WorkspaceId },
    { objectId: other },
    { version: 4 },
  ]
  for (const change of changes) {
    const elsewhere = { ...place, ...change }
    // With a key of its own there, and the data key of the right place held.
    if (change.workspaceId !== undefined) await seal(elsewhere)
    expect(await failureOf(sealer.open(elsewhere, sealed)), JSON.stringify(change)).toBe('BAD_CIPHERTEXT')
  }
})

test('any one byte changed does not open, with the data key held or not', async () => {
  const sealed = await seal()
  for (const holds of [false, true]) {
    if (holds) await sealer.open(place, sealed)
    for (let at = 0; at < sealed.length; at += 1) {
      const changed = Uint8Array.from(sealed, (byte, index) => (index === at ? byte ^ 1 : byte))
      expect(await failureOf(sealer.open(place, changed)), `byte ${at}`).toBe('BAD_CIPHERTEXT')
    }
  }
})

test('what was prepared for one workspace or purpose seals nothing for another, and nothing after its end', async () => {
  const prepared = await sealer.prepare(place, isFirst)
  const other = '01890000-0000-7000-8000-0000000000ff'
  for (const change of [{ purpose: 'x' }, { tenantId: other as TenantId }, { workspaceId: other as WorkspaceId }]) {
    expect(() => prepared.seal({ ...place, ...change }, value)).toThrow(/another workspace or purpose/)
  }
  prepared[Symbol.dispose]()
  expect(() => prepared.seal(place, value)).toThrow(/after its end/)
})

test('an unwrapped data key serves for its time and no longer, whatever the keyring could do by then', async () => {
  const sealed = await seal()
  await sealer.open(place, sealed)
  await keyring[Symbol.asyncDispose]()
  nowMs += cacheMs - 1
  expect(await sealer.open(place, sealed)).toEqual(value)
  nowMs += 2
  expect(await failureOf(sealer.open(place, sealed))).toBe('UNAVAILABLE')
})

test('many who open values of one data key at once ask the keyring once, and each has its value', async () => {
  const sealed = await seal()
  asked = []
  const opened = await Promise.all(Array.from({ length: 50 }, () => sealer.open(place, sealed)))
  for (const each of opened) expect(each).toEqual(value)
  expect(asked).toEqual(['unwrapDataKey'])
})

test('without knowledge of what others committed no data key is held, and those held end', async () => {
  const sealed = await seal()
  await sealer.open(place, sealed)
  feedAgeMs = 3_000
  asked = []
  for (let count = 0; count < 2; count += 1) expect(await sealer.open(place, sealed)).toEqual(value)
  expect(asked).toEqual(['unwrapDataKey', 'unwrapDataKey'])
  // Long enough for the sweep: they end by themselves, not with the next question.
  await new Promise((resolve) => setTimeout(resolve, 700))
  feedAgeMs = 0
  asked = []
  await sealer.open(place, sealed)
  expect(asked).toEqual(['unwrapDataKey'])
})

test('a destroyed key opens nothing once its data keys have ended', async () => {
  const sealed = await seal()
  await keyring.destroyKey(`workspace-${place.workspaceId}`)
  expect(await failureOf(sealer.open(place, sealed))).toBe('DESTROYED')
  expect(await failureOf(sealer.prepare(place, isFirst))).toBe('DESTROYED')
})

test('a data key that was being unwrapped while its key was destroyed serves that one value, and is held for no other', async () => {
  const sealed = await seal()
  const { promise: late, resolve: answer } = Promise.withResolvers<void>()
  const slow: Keyring = {
    ...keyring,
    async unwrapDataKey(wrapped, authenticated) {
      const key = await keyring.unwrapDataKey(wrapped, authenticated)
      await late
      return key
    },
  }
  const clock = { ...steppingClock(), monotonicMs: () => nowMs }
  using behind = createWorkspaceSealer({ keyring: slow, clock, random: realRandom, cacheMs, feedAgeMs: () => 0 })
  const opening = behind.open(place, sealed)
  await new Promise((resolve) => setTimeout(resolve, 50))
  expect(await behind.destroy(place.workspaceId)).toBe(true)
  answer()
  expect(await opening).toEqual(value)
  expect(await failureOf(behind.open(place, sealed))).toBe('DESTROYED')
})

test('a key that went missing is not replaced by another of its id', async () => {
  const never = async () => false
  expect(await failureOf(sealer.prepare(place, never))).toBe('UNKNOWN_KEY')
  // Asked once more: another may have made it meanwhile.
  expect(asked).toEqual(['generateDataKey', 'generateDataKey'])
  using _made = await sealer.prepare(place, isFirst)
  using _again = await sealer.prepare(place, never)
})

test('a value past the bound is refused', async () => {
  using prepared = await sealer.prepare(place, isFirst)
  expect(() => prepared.seal(place, new Uint8Array(1024 * 1024 + 1))).toThrow(/at most 1 MiB/)
})

test('of two first values at once the slower one finds the key that the other made', async () => {
  // Between the question for a data key and the look whether anything was sealed, another sealed the first value.
  using prepared = await sealer.prepare(place, async () => {
    await seal()
    return false
  })
  expect(await sealer.open(place, prepared.seal(place, value))).toEqual(value)
})
