import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { dataKeyBytes, type Keyring, type WrappedDataKey } from '../../../src/keyring/keyring.ts'
import { failureOf } from './keyring-failure.ts'

/** A keyring over a store of its own, as an adapter provides it to the suite. */
export interface KeyringRig extends AsyncDisposable {
  /** Another instance over the same store, as a second process or the next start would have it. The rig closes it. */
  open(): Promise<Keyring>
}

const here = Buffer.from('acme/prod/secret-1')
const there = Buffer.from('globex/prod/secret-1')
const evilIds = [
  '',
  '.',
  '..',
  '../x',
  'a/b',
  'a.b',
  'A',
  'a b',
  'a\n',
  'é',
  'a\u0000',
  'a'.repeat(129),
  'a&amp;b',
  '%2e%2e',
]

/** What every adapter of the port guarantees. */
export function describeKeyring(name: string, makeRig: () => Promise<KeyringRig>): void {
  describe(name, () => {
    let rig: KeyringRig
    let keyring: Keyring
    beforeEach(async () => {
      rig = await makeRig()
      keyring = await rig.open()
    })
    afterEach(() => rig[Symbol.asyncDispose]())
    const use = () => ({ rig, keyring })

    describeCreation(use)
    describeRotation(use)
    describeInstances(use)
    describeDataKeys(use)
    describeRewrapping(use)
    describeDestruction(use)
    describeRefusals(use)
  })
}

type Use = () => { readonly rig: KeyringRig; readonly keyring: Keyring }

function describeCreation(use: Use): void {
  test('a key that is created again is left as it is', async () => {
    const { keyring } = use()
    const first = await keyring.createKey('k-1')
    expect(first).toMatchObject({ keyId: 'k-1', versions: [{ version: 1 }], destroyTimeMs: undefined })
    const { wrapped, plaintext } = await keyring.generateDataKey('k-1', here)
    expect(await keyring.createKey('k-1')).toEqual(first)
    expect(await keyring.unwrapDataKey(wrapped, here)).toEqual(plaintext)
  })

  test('keys created at once, by one instance or two, are one key', async () => {
    const { rig, keyring } = use()
    const other = await rig.open()
    const created = await Promise.all(
      Array.from({ length: 20 }, (_, index) => (index % 2 === 0 ? keyring : other).createKey('k')),
    )
    for (const description of created) expect(description).toEqual(created[0])
    const { wrapped, plaintext } = await keyring.generateDataKey('k', here)
    expect(await other.unwrapDataKey(wrapped, here)).toEqual(plaintext)
  })
}

function describeRotation(use: Use): void {
  test('rotations at once each add a version, without a gap', async () => {
    const { keyring } = use()
    await keyring.createKey('k')
    await Promise.all(Array.from({ length: 5 }, () => keyring.rotateKey('k')))
    const { versions } = await keyring.describeKey('k')
    expect(versions.map(({ version }) => version)).toEqual([1, 2, 3, 4, 5, 6])
  })

  test('after a rotation new data keys are under the new version and old ones still unwrap', async () => {
    const { keyring } = use()
    await keyring.createKey('k')
    const old = await keyring.generateDataKey('k', here)
    await keyring.rotateKey('k')
    const fresh = await keyring.generateDataKey('k', here)
    expect([old.wrapped.keyVersion, fresh.wrapped.keyVersion]).toEqual([1, 2])
    expect(await keyring.unwrapDataKey(old.wrapped, here)).toEqual(old.plaintext)
    expect(await keyring.unwrapDataKey(fresh.wrapped, here)).toEqual(fresh.plaintext)
  })
}

function describeInstances(use: Use): void {
  test('another instance over the same store opens what this one sealed', async () => {
    const { rig, keyring } = use()
    await keyring.createKey('k')
    const { wrapped, plaintext } = await keyring.generateDataKey('k', here)
    await keyring[Symbol.asyncDispose]()
    const next = await rig.open()
    expect(await next.unwrapDataKey(wrapped, here)).toEqual(plaintext)
  })

  test('a closed keyring answers nothing', async () => {
    const { keyring } = use()
    await keyring.createKey('k')
    await keyring[Symbol.asyncDispose]()
    expect(await failureOf(keyring.describeKey('k'))).toBe('UNAVAILABLE')
    expect(await failureOf(keyring.createKey('k2'))).toBe('UNAVAILABLE')
    expect(await failureOf(keyring.checkHealth())).toBe('UNAVAILABLE')
  })

  test('a working keyring is healthy', async () => {
    await expect(use().keyring.checkHealth()).resolves.toBeUndefined()
  })
}

function describeDataKeys(use: Use): void {
  test('data keys are 256 bits, and no two are alike', async () => {
    const { keyring } = use()
    await keyring.createKey('k')
    const seen = new Set<string>()
    for (let count = 0; count < 50; count += 1) {
      const { plaintext, wrapped } = await keyring.generateDataKey('k', here)
      expect(plaintext).toHaveLength(dataKeyBytes)
      expect(Buffer.from(wrapped.bytes).includes(Buffer.from(plaintext))).toBe(false)
      seen.add(Buffer.from(plaintext).toString('hex')).add(Buffer.from(wrapped.bytes).toString('hex'))
    }
    expect(seen.size).toBe(100)
  })

  test('a wrapped data key with any one byte changed, cut off or added does not unwrap', async () => {
    const { keyring } = use()
    await keyring.createKey('k')
    const { wrapped } = await keyring.generateDataKey('k', here)
    const { bytes } = wrapped
    for (let index = 0; index < bytes.length; index += 1) {
      const changed = Uint8Array.from(bytes, (byte, at) => (at === index ? byte ^ 1 : byte))
      expect(await failureOf(keyring.unwrapDataKey({ ...wrapped, bytes: changed }, here))).toBe('BAD_CIPHERTEXT')
    }
    for (const other of [bytes.subarray(0, -1), bytes.subarray(1), Buffer.concat([bytes, Buffer.of(0)]), Buffer.of()]) {
      expect(await failureOf(keyring.unwrapDataKey({ ...wrapped, bytes: other }, here))).toBe('BAD_CIPHERTEXT')
    }
  })

  test('a wrapped data key does not unwrap under other authenticated data, another key or another version', async () => {
    const { keyring } = use()
    await keyring.createKey('k')
    await keyring.createKey('other')
    await keyring.rotateKey('k')
    const { wrapped } = await keyring.generateDataKey('k', here)
    const tries: [WrappedDataKey, Uint8Array][] = [
      [wrapped, there],
      [wrapped, Buffer.of()],
      [{ ...wrapped, keyId: 'other' }, here],
      ...[0, 1, 3, -1, 1.5, Number.NaN, 2 ** 40].map((keyVersion): [WrappedDataKey, Uint8Array] => [
        { ...wrapped, keyVersion },
        here,
      ]),
    ]
    for (const [candidate, authenticated] of tries) {
      expect(await failureOf(keyring.unwrapDataKey(candidate, authenticated))).toBe('BAD_CIPHERTEXT')
    }
  })
}

function describeRewrapping(use: Use): void {
  test('rewrapping moves the same data key to the newest version, at the same place only', async () => {
    const { keyring } = use()
    await keyring.createKey('k')
    const { wrapped, plaintext } = await keyring.generateDataKey('k', here)
    await keyring.rotateKey('k')
    const moved = await keyring.rewrapDataKey(wrapped, here)
    expect(moved.keyVersion).toBe(2)
    expect(await keyring.unwrapDataKey(moved, here)).toEqual(plaintext)
    expect(await failureOf(keyring.rewrapDataKey(wrapped, there))).toBe('BAD_CIPHERTEXT')
    expect(await failureOf(keyring.unwrapDataKey(moved, there))).toBe('BAD_CIPHERTEXT')
  })
}

function describeDestruction(use: Use): void {
  test('nothing opens under a destroyed key, of any version, in any instance; its neighbours live', async () => {
    const { rig, keyring } = use()
    const other = await rig.open()
    await keyring.createKey('k')
    await keyring.createKey('k-2')
    const old = await keyring.generateDataKey('k', here)
    await keyring.rotateKey('k')
    const { wrapped } = await keyring.generateDataKey('k', here)
    const neighbour = await keyring.generateDataKey('k-2', here)

    const gone = await keyring.destroyKey('k')
    expect(gone).toMatchObject({ keyId: 'k', versions: [] })
    expect(gone.destroyTimeMs).toBeTypeOf('number')
    for (const instance of [keyring, other, await rig.open()]) {
      expect(await failureOf(instance.unwrapDataKey(wrapped, here))).toBe('DESTROYED')
      expect(await failureOf(instance.unwrapDataKey(old.wrapped, here))).toBe('DESTROYED')
      expect(await failureOf(instance.rewrapDataKey(wrapped, here))).toBe('DESTROYED')
      expect(await failureOf(instance.generateDataKey('k', here))).toBe('DESTROYED')
      expect(await failureOf(instance.rotateKey('k'))).toBe('DESTROYED')
      expect(await instance.describeKey('k')).toEqual(gone)
      expect(await instance.unwrapDataKey(neighbour.wrapped, here)).toEqual(neighbour.plaintext)
    }
  })

  test('a destroyed id is never used again', async () => {
    const { rig, keyring } = use()
    await keyring.createKey('k')
    await keyring.destroyKey('k')
    expect(await failureOf(keyring.createKey('k'))).toBe('DESTROYED')
    expect(await failureOf((await rig.open()).createKey('k'))).toBe('DESTROYED')
  })

  test('destroying again changes nothing', async () => {
    const { keyring } = use()
    await keyring.createKey('k')
    const [first, second] = await Promise.all([keyring.destroyKey('k'), keyring.destroyKey('k')])
    expect(second).toEqual(first)
    expect(await keyring.destroyKey('k')).toEqual(first)
  })

  test('while a key is destroyed, a call on it succeeds or says DESTROYED, nothing else', async () => {
    const { rig, keyring } = use()
    const other = await rig.open()
    await keyring.createKey('k')
    const { wrapped, plaintext } = await keyring.generateDataKey('k', here)
    const outcomes: Promise<string>[] = []
    const destroyed = keyring.destroyKey('k')
    for (let count = 0; count < 40; count += 1) {
      const opened = other.unwrapDataKey(wrapped, here)
      outcomes.push(failureOf(opened.then((bytes) => expect(bytes).toEqual(plaintext))))
      outcomes.push(failureOf(count % 8 === 0 ? other.rotateKey('k') : other.describeKey('k')))
      await new Promise((resolve) => setImmediate(resolve))
    }
    for (const outcome of await Promise.all(outcomes)) expect(['none', 'DESTROYED']).toContain(outcome)
    await destroyed
    expect(await failureOf(other.unwrapDataKey(wrapped, here))).toBe('DESTROYED')
    expect(await failureOf(other.generateDataKey('k', here))).toBe('DESTROYED')
  })
}

function describeRefusals(use: Use): void {
  test('a key that never was is unknown to every call but create', async () => {
    const { keyring } = use()
    const wrapped = { keyId: 'none', keyVersion: 1, bytes: new Uint8Array(61) }
    const calls = [
      keyring.describeKey('none'),
      keyring.rotateKey('none'),
      keyring.destroyKey('none'),
      keyring.generateDataKey('none', here),
      keyring.unwrapDataKey(wrapped, here),
      keyring.rewrapDataKey(wrapped, here),
    ]
    for (const failure of await Promise.all(calls.map(failureOf))) expect(failure).toBe('UNKNOWN_KEY')
    await keyring.createKey('none')
    expect(await keyring.describeKey('none')).toMatchObject({ versions: [{ version: 1 }] })
  })

  test.each(evilIds)('the id %j, which could reach another key, is refused everywhere', async (keyId) => {
    const { keyring } = use()
    const wrapped = { keyId, keyVersion: 1, bytes: new Uint8Array(61) }
    const calls = [
      keyring.createKey(keyId),
      keyring.describeKey(keyId),
      keyring.rotateKey(keyId),
      keyring.destroyKey(keyId),
      keyring.generateDataKey(keyId, here),
      keyring.unwrapDataKey(wrapped, here),
      keyring.rewrapDataKey(wrapped, here),
    ]
    for (const failure of await Promise.all(calls.map(failureOf))) expect(failure).toBe('INVALID')
  })

  test('ids of one and of 128 characters are good', async () => {
    const { keyring } = use()
    for (const keyId of ['a', '-', '0'.repeat(128)]) expect(await keyring.createKey(keyId)).toMatchObject({ keyId })
  })

  test('more authenticated data than the bound is refused', async () => {
    const { keyring } = use()
    await keyring.createKey('k')
    const { wrapped, plaintext } = await keyring.generateDataKey('k', new Uint8Array(4096))
    expect(await keyring.unwrapDataKey(wrapped, new Uint8Array(4096))).toEqual(plaintext)
    expect(await failureOf(keyring.generateDataKey('k', new Uint8Array(4097)))).toBe('INVALID')
    expect(await failureOf(keyring.unwrapDataKey(wrapped, new Uint8Array(4097)))).toBe('INVALID')
  })
}
