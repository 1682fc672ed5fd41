import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { TenantId, WorkspaceId } from '../../../src/base/ids.ts'
import { SealedEnvelopeSchema } from '../../../src/gen/tenure/internal/v1/sealed_envelope_pb.ts'
import { openValue, type SealedPlace, sealValue } from '../../../src/keyring/envelope.ts'
import type { Keyring } from '../../../src/keyring/keyring.ts'
import { failureOf } from '../../contract/keyring/keyring-failure.ts'
import { type LocalRig, makeLocalRig, realRandom } from '../../contract/keyring/local-rig.ts'

const acme = '01890000-0000-7000-8000-00000000000a'
const globex = '01890000-0000-7000-8000-00000000000b'
const place: SealedPlace = {
  purpose: 'secret-value',
  tenantId: acme as TenantId,
  workspaceId: '01890000-0000-7000-8000-000000000001' as WorkspaceId,
  objectId: '01890000-0000-7000-8000-000000000002',
  version: 3,
}
const value = Buffer.from('correct horse battery staple')

let rig: LocalRig
let keyring: Keyring
let sealed: Uint8Array

beforeAll(async () => {
  rig = await makeLocalRig()
  keyring = await rig.open()
  await keyring.createKey('k')
  await keyring.createKey('other')
  sealed = await sealValue(keyring, 'k', place, value, realRandom)
})
afterAll(() => rig[Symbol.asyncDispose]())

const openAt = (at: SealedPlace, bytes = sealed, keyId = 'k') => openValue(keyring, keyId, at, bytes)
const parsed = () => fromBinary(SealedEnvelopeSchema, sealed)

describe('a sealed value', () => {
  test('opens where it was sealed, empty or full', async () => {
    for (const plaintext of [value, Buffer.of(), Buffer.alloc(1024 * 1024, 7)]) {
      const bytes = await sealValue(keyring, 'k', place, plaintext, realRandom)
      expect(Buffer.compare(await openAt(place, bytes), plaintext)).toBe(0)
    }
  })

  test('still opens after its key is rotated', async () => {
    await keyring.createKey('turning')
    const old = await sealValue(keyring, 'turning', place, value, realRandom)
    await keyring.rotateKey('turning')
    expect(await openAt(place, old, 'turning')).toEqual(value)
  })

  test('does not show its plaintext, and is never sealed alike twice', async () => {
    expect(Buffer.from(sealed).includes(value)).toBe(false)
    const again = fromBinary(SealedEnvelopeSchema, await sealValue(keyring, 'k', place, value, realRandom))
    expect(again.ciphertext).not.toEqual(parsed().ciphertext)
    expect(again.wrappedDataKey).not.toEqual(parsed().wrappedDataKey)
  })

  const elsewhere: [string, Partial<SealedPlace>][] = [
    ['purpose', { purpose: 'customer-data' }],
    ['tenant', { tenantId: globex as TenantId }],
    ['workspace', { workspaceId: globex as WorkspaceId }],
    ['object', { objectId: globex }],
    ['older version', { version: 2 }],
    ['newer version', { version: 4 }],
    ['swap of two ids', { workspaceId: place.objectId as WorkspaceId, objectId: place.workspaceId }],
  ]
  test.each(elsewhere)('moved to another %s does not open', async (_, change) => {
    expect(await failureOf(openAt({ ...place, ...change }))).toBe('BAD_CIPHERTEXT')
  })

  test('does not open under another key, nor by renaming the key in the envelope', async () => {
    expect(await failureOf(openAt(place, sealed, 'other'))).toBe('BAD_CIPHERTEXT')
    const renamed = toBinary(SealedEnvelopeSchema, create(SealedEnvelopeSchema, { ...parsed(), keyId: 'other' }))
    expect(await failureOf(openAt(place, renamed, 'other'))).toBe('BAD_CIPHERTEXT')
    expect(await failureOf(openAt(place, renamed))).toBe('BAD_CIPHERTEXT')
  })

  test('with the data key or the ciphertext of another value at the same place does not open', async () => {
    const twin = fromBinary(SealedEnvelopeSchema, await sealValue(keyring, 'k', place, value, realRandom))
    for (const part of ['wrappedDataKey', 'nonce', 'ciphertext'] as const) {
      const mixed = create(SealedEnvelopeSchema, { ...parsed(), [part]: twin[part] })
      expect(await failureOf(openAt(place, toBinary(SealedEnvelopeSchema, mixed)))).toBe('BAD_CIPHERTEXT')
    }
  })

  test('with any one bit of any byte changed does not open', async () => {
    for (let index = 0; index < sealed.length; index += 1) {
      for (const bit of [0x01, 0x80]) {
        const changed = Uint8Array.from(sealed, (byte, at) => (at === index ? byte ^ bit : byte))
        expect(await failureOf(openAt(place, changed)), `byte ${index}`).toBe('BAD_CIPHERTEXT')
      }
    }
  })

  test('cut short at any byte, with a field more, or a field twice does not open', async () => {
    for (let length = 0; length < sealed.length; length += 1) {
      expect(await failureOf(openAt(place, sealed.subarray(0, length)))).toBe('BAD_CIPHERTEXT')
    }
    const unknownField = Buffer.of(0x7a, 0x00)
    const formatAgain = Buffer.of(0x08, 0x01)
    for (const extra of [unknownField, formatAgain, Buffer.of(0)]) {
      expect(await failureOf(openAt(place, Buffer.concat([sealed, extra])))).toBe('BAD_CIPHERTEXT')
    }
    expect(await failureOf(openAt(place, Buffer.concat([formatAgain, sealed])))).toBe('BAD_CIPHERTEXT')
  })

  test('with nonce or tag of another length does not open', async () => {
    const { nonce, ciphertext } = parsed()
    const changes = [
      { nonce: nonce.subarray(0, 8) },
      { nonce: Buffer.concat([nonce, Buffer.alloc(4)]) },
      { nonce: Buffer.of() },
      { ciphertext: ciphertext.subarray(0, ciphertext.length - 4) },
      { ciphertext: Buffer.of() },
      { ciphertext: ciphertext.subarray(0, 15) },
      { format: 2 },
      { format: 0 },
    ]
    for (const change of changes) {
      const bytes = toBinary(SealedEnvelopeSchema, create(SealedEnvelopeSchema, { ...parsed(), ...change }))
      expect(await failureOf(openAt(place, bytes))).toBe('BAD_CIPHERTEXT')
    }
  })

  test('is gone once its key is destroyed', async () => {
    await keyring.createKey('doomed')
    const bytes = await sealValue(keyring, 'doomed', place, value, realRandom)
    await keyring.destroyKey('doomed')
    expect(await failureOf(openAt(place, bytes, 'doomed'))).toBe('DESTROYED')
    expect(await failureOf(sealValue(keyring, 'doomed', place, value, realRandom))).toBe('DESTROYED')
  })
})

const noPlaces: [string, Partial<Record<keyof SealedPlace, unknown>>][] = [
  ['no purpose', { purpose: '' }],
  ['a purpose with other characters', { purpose: 'a\u0000b' }],
  ['a name for an object', { objectId: 'db-password' }],
  ['a name for a tenant', { tenantId: 'acme' }],
  ['a UUID in capitals', { workspaceId: '01890000-0000-7000-8000-00000000000A' }],
  ['a version below zero', { version: -1 }],
  ['half a version', { version: 0.5 }],
  ['a version past 2^53', { version: 2 ** 53 }],
]
test.each(noPlaces)('%s is no place: nothing is sealed or opened there', async (_, change) => {
  const wrong = { ...place, ...change } as SealedPlace
  expect(await failureOf(sealValue(keyring, 'k', wrong, value, realRandom))).toBe('INVALID')
  expect(await failureOf(openAt(wrong))).toBe('INVALID')
})

test('a value past the bound is refused before a key is asked for', async () => {
  const huge = Buffer.alloc(1024 * 1024 + 1)
  expect(await failureOf(sealValue(keyring, 'none', place, huge, realRandom))).toBe('INVALID')
  expect(await failureOf(openAt(place, Buffer.alloc(2 * 1024 * 1024)))).toBe('BAD_CIPHERTEXT')
})

test('the data key is overwritten after sealing and after opening', async () => {
  const seen: Uint8Array[] = []
  const watched: Keyring = {
    ...keyring,
    async generateDataKey(keyId, authenticated) {
      const dataKey = await keyring.generateDataKey(keyId, authenticated)
      seen.push(dataKey.plaintext)
      return dataKey
    },
    async unwrapDataKey(wrapped, authenticated) {
      const plaintext = await keyring.unwrapDataKey(wrapped, authenticated)
      seen.push(plaintext)
      return plaintext
    },
  }
  const bytes = await sealValue(watched, 'k', place, value, realRandom)
  expect(await openValue(watched, 'k', place, bytes)).toEqual(value)
  expect(seen).toHaveLength(2)
  for (const key of seen) expect(key.every((byte) => byte === 0)).toBe(true)
})
