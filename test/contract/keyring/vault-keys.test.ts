import { readFileSync } from 'node:fs'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Keyring } from '../../../src/keyring/keyring.ts'
import { askBao } from '../../rigs/openbao/bao-api.ts'
import { type OpenBaoRig, startOpenBao } from '../../rigs/openbao/start-openbao.ts'
import { failureOf, keyringErrorOf } from './keyring-failure.ts'
import { makeVaultRig, tokenOf, type VaultRig } from './vault-rig.ts'

const place = Buffer.from('acme/prod/secret-1')

let bao: OpenBaoRig
let rig: VaultRig
let keyring: Keyring

beforeAll(async () => {
  bao = await startOpenBao()
})
afterAll(() => bao[Symbol.asyncDispose]())

beforeEach(async () => {
  rig = await makeVaultRig(bao)
  keyring = await rig.open()
})
afterEach(() => rig[Symbol.asyncDispose]())

const keyPath = (keyId: string) => `${rig.mount}/keys/tenure_key_${keyId}_`
const tombstonePath = (keyId: string) => `${rig.mount}/keys/tenure_destroyed_${keyId}_`

describe('a key that does not keep what it is', () => {
  const flaws: [string, object, RegExp][] = [
    ['exportable', { exportable: true }, /is exportable/],
    ['open to backups', { allow_plaintext_backup: true }, /allows backups in plaintext/],
    ['derived', { derived: true }, /is derived/],
    ['convergent', { derived: true, convergent_encryption: true }, /is derived/],
    ['of another type', { type: 'chacha20-poly1305' }, /is not of type aes256-gcm96/],
  ]
  test.each(flaws)(
    'made %s by somebody before us: nothing is sealed under it, and it can be destroyed',
    async (_name, options, words) => {
      await bao.ask('POST', keyPath('k'), options)
      for (const call of [
        () => keyring.createKey('k'),
        () => keyring.describeKey('k'),
        () => keyring.rotateKey('k'),
        () => keyring.generateDataKey('k', place),
      ]) {
        const error = await keyringErrorOf(call())
        expect(error?.reason).toBe('INVALID')
        expect(error?.message).toMatch(words)
      }
      expect((await keyring.destroyKey('k')).versions).toEqual([])
    },
  )

  test.each(['exportable', 'allow_plaintext_backup'])(
    'made %s later: the next server seals nothing more',
    async (name) => {
      await keyring.createKey('k')
      await bao.ask('POST', `${keyPath('k')}/config`, { [name]: true })
      expect(await failureOf(keyring.rotateKey('k'))).toBe('INVALID')
      const next = await rig.open()
      expect(await failureOf(next.generateDataKey('k', place))).toBe('INVALID')
    },
  )

  test('soft-deleted is neither unknown nor destroyed, and not damage', async () => {
    await keyring.createKey('k')
    const { wrapped, plaintext } = await keyring.generateDataKey('k', place)
    await bao.ask('DELETE', `${keyPath('k')}/soft-delete`)
    const calls = [() => keyring.unwrapDataKey(wrapped, place), () => keyring.generateDataKey('k', place)]
    for (const call of calls) expect((await keyringErrorOf(call()))?.message).toContain('soft-deleted')
    await bao.ask('POST', `${keyPath('k')}/soft-delete-restore`)
    expect(await keyring.unwrapDataKey(wrapped, place)).toEqual(plaintext)
  })

  test('kept from opening old versions says so, and does not pass for damage', async () => {
    await keyring.createKey('k')
    const { wrapped } = await keyring.generateDataKey('k', place)
    await keyring.rotateKey('k')
    await bao.ask('POST', `${keyPath('k')}/config`, { min_decryption_version: 2 })
    const error = await keyringErrorOf(keyring.unwrapDataKey(wrapped, place))
    expect(error?.reason).toBe('INVALID')
    expect(error?.message).toContain('min_decryption_version')
  })
})

test('keys are made so that they never leave, in no form', async () => {
  await keyring.createKey('k')
  const { data } = await bao.ask('GET', keyPath('k'))
  expect(data).toMatchObject({ type: 'aes256-gcm96', exportable: false, allow_plaintext_backup: false, derived: false })
})

test('a data key takes one call to make and one to open', async () => {
  await keyring.createKey('k')
  const before = bao.audited(rig.mount)
  const { wrapped } = await keyring.generateDataKey('k', place)
  expect(bao.audited(rig.mount)).toBe(before + 1)
  await keyring.unwrapDataKey(wrapped, place)
  expect(bao.audited(rig.mount)).toBe(before + 2)
})

describe('a destruction that was cut short after the tombstone', () => {
  beforeEach(async () => {
    await keyring.createKey('k')
    await bao.ask('POST', tombstonePath('k'))
  })

  test('leaves a key that is destroyed for whoever makes, turns, describes or begins to use it', async () => {
    const next = await rig.open()
    expect(await failureOf(next.createKey('k'))).toBe('DESTROYED')
    expect(await failureOf(next.rotateKey('k'))).toBe('DESTROYED')
    expect(await failureOf(next.generateDataKey('k', place))).toBe('DESTROYED')
    expect((await next.describeKey('k')).destroyTimeMs).toBeTypeOf('number')
  })

  test('is finished by repeating it', async () => {
    await keyring.createKey('k2')
    const { wrapped } = await keyring.generateDataKey('k2', place)
    await bao.ask('POST', tombstonePath('k2'))
    expect((await keyring.destroyKey('k2')).versions).toEqual([])
    expect(await failureOf(keyring.unwrapDataKey(wrapped, place))).toBe('DESTROYED')
    await expect(bao.ask('GET', keyPath('k2'))).rejects.toThrow('404')
  })
})

test('a key made anew by whoever did not see its tombstone does not live', async () => {
  await keyring.createKey('k')
  await keyring.destroyKey('k')
  await bao.ask('POST', keyPath('k'))
  expect(await failureOf((await rig.open()).generateDataKey('k', place))).toBe('DESTROYED')
  await keyring.destroyKey('k')
  await expect(bao.ask('GET', keyPath('k'))).rejects.toThrow('404')
})

test('what is sealed while several servers make and rotate a key is there after a crash of Vault', async () => {
  const others = await Promise.all([rig.open(), rig.open(), rig.open()])
  await Promise.all(others.map((other) => other.createKey('k')))
  const [made] = await Promise.all([
    Promise.all(others.map((other) => other.generateDataKey('k', place))),
    ...others.map((other) => other.rotateKey('k')),
  ])
  await Promise.all(others.map((other) => other.rotateKey('k')))
  const { versions } = await keyring.describeKey('k')
  const late = await keyring.generateDataKey('k', place)
  await bao.kill()
  await bao.start()
  expect((await keyring.describeKey('k')).versions).toEqual(versions)
  expect(versions.map(({ version }) => version)).toEqual(versions.map((_, index) => index + 1))
  for (const { wrapped, plaintext } of [...made, late]) {
    expect(await keyring.unwrapDataKey(wrapped, place)).toEqual(plaintext)
  }
})

test('a mount that is not there, or is no transit engine, is not an empty one', async () => {
  const missing = await keyringErrorOf(rig.open({ mount: 'nowhere' }))
  expect(missing?.reason).toBe('INVALID')
  expect(missing?.message).toContain('mount the transit engine there')
  await bao.ask('POST', `sys/mounts/${rig.mount}-kv`, { type: 'kv' })
  const foreign = await rig.open({ mount: `${rig.mount}-kv` })
  expect(await failureOf(foreign.createKey('k'))).toBe('INVALID')
  await bao.ask('DELETE', `sys/mounts/${rig.mount}`)
  expect(await failureOf(keyring.describeKey('k'))).toBe('INVALID')
  expect(await failureOf(keyring.createKey('k'))).toBe('INVALID')
})

test('the policy of docs/operations.md is all a server needs, and lets it take no tombstone away', async () => {
  const page = readFileSync(new URL('../../../docs/operations.md', import.meta.url), 'utf8')
  const [, policy = ''] = /```hcl\n(.*?)```/s.exec(page) ?? []
  await bao.writePolicy('of-the-docs', policy.replaceAll('"transit/', `"${rig.mount}/`))
  const token = await bao.makeToken({ policies: ['of-the-docs'], ttlSeconds: 60 })
  const server = await rig.open({ credential: tokenOf(token) })
  await server.createKey('k')
  const { wrapped, plaintext } = await server.generateDataKey('k', place)
  await server.rotateKey('k')
  expect(await server.unwrapDataKey(await server.rewrapDataKey(wrapped, place), place)).toEqual(plaintext)
  await server.destroyKey('k')
  expect(await failureOf(server.unwrapDataKey(wrapped, place))).toBe('DESTROYED')
  await bao.ask('POST', `${tombstonePath('k')}/config`, { deletion_allowed: true })
  expect((await askBao(bao.address, token, 'DELETE', tombstonePath('k'))).status).toBe(403)
})
