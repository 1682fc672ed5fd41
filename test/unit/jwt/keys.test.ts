import { createHash, generateKeyPairSync, randomFillSync } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { makeSigningKey, openSigningKey } from '../../../src/jwt/signing-key.ts'
import { openVerificationKeys } from '../../../src/jwt/verification-keys.ts'
import { testSigningKey } from '../../support/tenant-token.ts'

const { made } = await testSigningKey()
const { publicJwk } = made

test('every key made is another, and its id is the thumbprint of what is published', async () => {
  const keys = await Promise.all([1, 2].map(() => makeSigningKey((bytes) => randomFillSync(bytes))))
  expect(new Set(keys.map(({ kid }) => kid)).size).toBe(2)
  for (const { kid, publicJwk: jwk } of keys) {
    expect(kid).toBe(createHash('sha256').update(`{"crv":"Ed25519","kty":"OKP","x":"${jwk.x}"}`).digest('base64url'))
    expect(Object.keys(jwk).sort()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x'])
  }
})

test('a private key that was opened cannot be read back, and opening leaves the bytes given as they were', async () => {
  const copy = Buffer.from(made.privateKeyPkcs8)
  const { privateKey } = await openSigningKey(made)
  await expect(crypto.subtle.exportKey('pkcs8', privateKey)).rejects.toThrow()
  expect(copy.equals(made.privateKeyPkcs8)).toBe(true)
})

test('a signing key under the id of another is refused', async () => {
  const other = await testSigningKey(8)
  await expect(openSigningKey({ kid: other.made.kid, privateKeyPkcs8: made.privateKeyPkcs8 })).rejects.toThrow(
    'is not the key of that id',
  )
})

test('what is no Ed25519 key is refused as a signing key, without a word of its bytes', async () => {
  const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'der' })
  for (const bytes of [ec, Buffer.from('secret'), Buffer.alloc(0)]) {
    await expect(openSigningKey({ kid: made.kid, privateKeyPkcs8: bytes })).rejects.toThrow('is not Ed25519 in PKCS #8')
  }
})

describe('of a published set, only what can verify a token of ours is taken', () => {
  test.each<readonly [string, Readonly<Record<string, unknown>>]>([
    ['a private key', { d: Buffer.alloc(32, 7).toString('base64url') }],
    ['a symmetric key', { kty: 'oct', k: 'c2VjcmV0' }],
    ['another curve', { crv: 'X25519' }],
    ['another type', { kty: 'EC' }],
    ['another algorithm', { alg: 'HS256' }],
    ['a key for encryption', { use: 'enc' }],
    ['a key for signing only', { key_ops: ['sign'] }],
    ['the id of another key', { kid: 'A'.repeat(43) }],
    ['no id', { kid: undefined }],
    ['a number for a point', { x: 7 }],
    ['a point cut short', { x: publicJwk.x.slice(0, 20) }],
  ])('%s is passed over', async (_name, changes) => {
    const other = (await testSigningKey(8)).made.publicJwk
    const keys = await openVerificationKeys({ keys: [{ ...publicJwk, ...changes }, null, 'key', other] })
    expect([...(keys?.keys() ?? [])]).toEqual([other.kid])
  })

  test('a point cut short under its own thumbprint is passed over', async () => {
    const x = publicJwk.x.slice(0, 20)
    const kid = createHash('sha256').update(`{"crv":"Ed25519","kty":"OKP","x":"${x}"}`).digest('base64url')
    expect((await openVerificationKeys({ keys: [{ ...publicJwk, x, kid }] }))?.size).toBe(0)
  })

  test.each([undefined, null, [], 'keys', {}, { keys: {} }, { keys: Array(101).fill(publicJwk) }])(
    '%j is no set of keys',
    async (jwks) => {
      expect(await openVerificationKeys(jwks)).toBeUndefined()
    },
  )
})
