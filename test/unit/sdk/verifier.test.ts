import { describe, expect, test } from 'vitest'
import { signTenantToken } from '../../../src/jwt/sign-tenant-token.ts'
import { AccessError } from '../../../src/sdk/access-error.ts'
import { createVerifier, type VerifierOptions } from '../../../src/sdk/verifier.ts'
import { testAudience, testIssuer, testSigningKey, tokenClaims } from '../../support/tenant-token.ts'
import { type TestClock, testClock } from './test-clock.ts'

const { made, key } = await testSigningKey()
const jwks = { keys: [made.publicJwk] }
const good = await signTenantToken(tokenClaims(), key)

function verifierAt(clock: TestClock, changes: Partial<VerifierOptions> = {}) {
  return createVerifier({ issuer: testIssuer, audience: testAudience, jwks, clock, ...changes })
}

describe('a verifier that could not check everything does not come to be', () => {
  const whole = { issuer: testIssuer, audience: testAudience, jwks }
  test.each<readonly [string, object]>([
    ['no issuer', { ...whole, issuer: undefined }],
    ['an empty issuer', { ...whole, issuer: '' }],
    ['no audience', { ...whole, audience: undefined }],
    ['an empty audience', { ...whole, audience: ' ' }],
    ['audiences', { ...whole, audience: [testAudience] }],
    ['no keys', { ...whole, jwks: undefined }],
    ['null for keys', { ...whole, jwks: null }],
    ['an empty address', { ...whole, jwks: '' }],
    ['an address that is none', { ...whole, jwks: 'tenure' }],
    ['a file', { ...whole, jwks: 'file:///etc/jwks.json' }],
    ['keys over http from another machine', { ...whole, jwks: 'http://tenure.example/jwks.json' }],
    [
      'keys over http from what only begins like this machine',
      { ...whole, jwks: 'http://127.0.0.1.example/jwks.json' },
    ],
    ['an address with a password', { ...whole, jwks: 'https://user:password@tenure.example/jwks.json' }],
    ['an empty set', { ...whole, jwks: { keys: [] } }],
    ['a set without a list', { ...whole, jwks: {} }],
    ['a set of private keys', { ...whole, jwks: { keys: [{ ...made.publicJwk, d: 'x' }] } }],
    ['a set of symmetric keys', { ...whole, jwks: { keys: [{ kty: 'oct', k: 'x' }] } }],
    ['a tolerance of an hour', { ...whole, clockToleranceSeconds: 3_600 }],
    ['a tolerance that is no number', { ...whole, clockToleranceSeconds: Number.NaN }],
    ['no memory', { ...whole, cacheSize: 0 }],
  ])('%s', (_name, options) => {
    expect(() => createVerifier(options as VerifierOptions)).toThrow(/^createVerifier: /)
  })

  test('http is for this machine, or for whoever says so', () => {
    for (const url of ['http://127.0.0.1:7081/jwks.json', 'http://localhost:7081/', 'http://[::1]:7081/']) {
      expect(() => createVerifier({ ...whole, jwks: url })).not.toThrow()
    }
    const elsewhere = 'http://tenure.example/jwks.json'
    expect(() => createVerifier({ ...whole, jwks: elsewhere, allowInsecureJwks: true })).not.toThrow()
  })
})

test('a token is verified once and remembered, and both answers are the same', async () => {
  const verifier = verifierAt(testClock())
  expect(verifier.verifyCached(good)).toBeUndefined()
  const first = await verifier.verify(good)
  expect(await verifier.verify(good)).toBe(first)
  expect(verifier.verifyCached(good)).toBe(first)
  expect(first.claims.sub).toBe('tenants/acme/users/alice')
})

test('what is remembered still expires', async () => {
  const clock = testClock()
  const verifier = verifierAt(clock, { clockToleranceSeconds: 30 })
  await verifier.verify(good)
  clock.advance(929_999)
  expect(verifier.verifyCached(good)).toBeDefined()
  clock.advance(1)
  expect(() => verifier.verifyCached(good)).toThrow(expect.objectContaining({ reason: 'EXPIRED' }))
  await expect(verifier.verify(good)).rejects.toMatchObject({ reason: 'EXPIRED' })
})

test('what is remembered is not valid before its time when the clock is set back', async () => {
  const clock = testClock()
  const verifier = verifierAt(clock)
  await verifier.verify(good)
  clock.advance(-60_000)
  await expect(verifier.verify(good)).rejects.toMatchObject({ reason: 'NOT_YET_VALID' })
})

test('a remembered token does not let in one that only resembles it', async () => {
  const verifier = verifierAt(testClock())
  await verifier.verify(good)
  const [header = '', payload = '', signature = ''] = good.split('.')
  const otherPayload = Buffer.from(JSON.stringify(tokenClaims({ permissions: [] }))).toString('base64url')
  const lookalikes = [
    `${good}\n`,
    ` ${good}`,
    `${header}.${payload}`,
    `${good}.`,
    `${header}.${otherPayload}.${signature}`,
  ]
  for (const token of lookalikes) await expect(verifier.verify(token)).rejects.toBeInstanceOf(AccessError)
})

test('verifiers share no memory: what one accepts, another still checks', async () => {
  const clock = testClock()
  await verifierAt(clock).verify(good)
  const other = verifierAt(clock, { audience: 'billing' })
  expect(other.verifyCached(good)).toBeUndefined()
  await expect(other.verify(good)).rejects.toMatchObject({ reason: 'WRONG_AUDIENCE' })
})

test('no more tokens are remembered than was said', async () => {
  const verifier = verifierAt(testClock(), { cacheSize: 2 })
  const tokens = await Promise.all([1, 2, 3].map((tep) => signTenantToken(tokenClaims({ tep }), key)))
  for (const token of tokens) await verifier.verify(token)
  expect(tokens.map((token) => verifier.verifyCached(token) !== undefined)).toEqual([false, true, true])
})

test('every refusal is one class with a reason, and carries nothing of the token', async () => {
  const verifier = verifierAt(testClock())
  const other = await testSigningKey(8)
  const refused = [
    [await signTenantToken(tokenClaims({ aud: ['billing'] }), key), 'WRONG_AUDIENCE'],
    [await signTenantToken(tokenClaims({ iss: 'http://staging.example' }), key), 'WRONG_ISSUER'],
    [await signTenantToken(tokenClaims(), other.key), 'UNKNOWN_KEY'],
    [`${good.slice(0, -5)}AAAAA`, 'BAD_SIGNATURE'],
    ['x'.repeat(5_000), 'TOO_LARGE'],
    ['', 'MALFORMED'],
    [undefined, 'MALFORMED'],
  ] as const
  for (const [token, reason] of refused) {
    const error = await verifier.verify(token as string).catch((caught: unknown) => caught)
    expect(error).toBeInstanceOf(AccessError)
    expect(error).toMatchObject({ reason })
    expect(JSON.stringify([(error as Error).message, String((error as Error).cause)])).not.toMatch(/acme|alice|eyJ/)
  }
})
