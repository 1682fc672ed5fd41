import { describe, expect, test } from 'vitest'
import { signTenantToken } from '../../../src/jwt/sign-tenant-token.ts'
import { createVerifier, type Verifier, type VerifierOptions } from '../../../src/sdk/verifier.ts'
import { type Answer, jwksAnswer, startJwksHost } from '../../support/jwks-host.ts'
import { testAudience, testIssuer, testSigningKey, tokenClaims } from '../../support/tenant-token.ts'
import { testClock } from './test-clock.ts'

const first = await testSigningKey(1)
const second = await testSigningKey(2)
const long = tokenClaims().exp + 100_000
const tokenOf = (key: typeof first.key, tep = 1) => signTenantToken(tokenClaims({ exp: long, tep }), key)
const setOfFirst = JSON.stringify({ keys: [first.made.publicJwk] })
const down: Answer = (_request, response) => response.writeHead(500).end()

/** A token of the right form whose key nobody has ever seen. */
async function strayToken(index: number): Promise<string> {
  const [, payload, signature] = (await tokenOf(first.key)).split('.')
  const kid = Buffer.alloc(32, index)
    .fill(index >> 8, 16)
    .toString('base64url')
  const header = Buffer.from(JSON.stringify({ alg: 'EdDSA', typ: 'at+jwt', kid })).toString('base64url')
  return `${header}.${payload}.${signature}`
}

async function startVerifier(answer: Answer, changes: Partial<VerifierOptions> = {}) {
  const host = await startJwksHost(answer)
  const clock = testClock()
  const errors: unknown[] = []
  const verifier = createVerifier({
    ...{ issuer: testIssuer, audience: testAudience, jwks: host.url, clock },
    onKeysError: (error) => errors.push(error),
    ...changes,
  })
  return { host, clock, errors, verifier, [Symbol.asyncDispose]: () => host[Symbol.asyncDispose]() }
}

const outcome = (verifier: Verifier, token: string): Promise<string> =>
  verifier.verify(token).then(
    () => 'ACCEPTED',
    (error: { reason: string }) => error.reason,
  )

/** Waits for a refresh nobody waits for. */
async function settled(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 400 && !condition(); i += 1) await new Promise((resolve) => setTimeout(resolve, 5))
  expect(condition()).toBe(true)
}

test('keys are fetched at first need, once for everybody who waits for them', async () => {
  await using rig = await startVerifier(jwksAnswer(first.made.publicJwk))
  expect(rig.host.questions).toBe(0)
  const tokens = await Promise.all(Array.from({ length: 50 }, (_, tep) => tokenOf(first.key, tep)))
  expect(await Promise.all(tokens.map((token) => outcome(rig.verifier, token)))).toEqual(Array(50).fill('ACCEPTED'))
  expect(rig.host.questions).toBe(1)
})

test('a thousand unknown kids ask for the keys once in thirty seconds, and good tokens go on', async () => {
  await using rig = await startVerifier(jwksAnswer(first.made.publicJwk))
  const good = await tokenOf(first.key)
  await rig.verifier.verify(good)
  expect(rig.host.questions).toBe(1)
  const strays = await Promise.all(Array.from({ length: 1_000 }, (_, index) => strayToken(index)))
  const flood = () => Promise.all(strays.map((token) => outcome(rig.verifier, token)))
  expect(new Set(await flood())).toEqual(new Set(['UNKNOWN_KEY']))
  expect(rig.host.questions).toBe(1)
  rig.clock.advance(29_999)
  await flood()
  expect(rig.host.questions).toBe(1)
  rig.clock.advance(1)
  await flood()
  await flood()
  expect(rig.host.questions).toBe(2)
  expect(await outcome(rig.verifier, good)).toBe('ACCEPTED')
})

test('a token whose kid has no right form never asks for the keys', async () => {
  await using rig = await startVerifier(jwksAnswer(first.made.publicJwk))
  const header = Buffer.from('{"alg":"EdDSA","typ":"at+jwt","kid":"../../keys"}').toString('base64url')
  const [, ...others] = (await tokenOf(first.key)).split('.')
  expect(await outcome(rig.verifier, [header, ...others].join('.'))).toBe('UNKNOWN_KEY')
  expect(rig.host.questions).toBe(0)
})

test('a token that expires while its key is fetched is refused', async () => {
  await using rig = await startVerifier((request, response) => {
    rig.clock.advance(1_000_000)
    jwksAnswer(first.made.publicJwk)(request, response)
  })
  const token = await signTenantToken(tokenClaims(), first.key)
  expect(await outcome(rig.verifier, token)).toBe('EXPIRED')
  expect(await outcome(rig.verifier, token)).toBe('EXPIRED')
})

test('a rotation is taken in: a new key by its first token, and no token of the old one is refused', async () => {
  await using rig = await startVerifier(jwksAnswer(first.made.publicJwk))
  expect(await outcome(rig.verifier, await tokenOf(first.key))).toBe('ACCEPTED')
  rig.host.answer = jwksAnswer(first.made.publicJwk, second.made.publicJwk)
  rig.clock.advance(30_000)
  expect(await outcome(rig.verifier, await tokenOf(second.key))).toBe('ACCEPTED')
  expect(await outcome(rig.verifier, await tokenOf(first.key, 2))).toBe('ACCEPTED')
  expect(rig.host.questions).toBe(2)
})

test('a key that is published no more takes the tokens it signed with it, remembered ones too', async () => {
  await using rig = await startVerifier(jwksAnswer(first.made.publicJwk, second.made.publicJwk))
  const token = await tokenOf(first.key)
  await rig.verifier.verify(token)
  rig.host.answer = jwksAnswer(second.made.publicJwk)
  rig.clock.advance(5 * 60_000 - 1)
  expect(await outcome(rig.verifier, token)).toBe('ACCEPTED')
  rig.clock.advance(1)
  // The first request past the age goes on with what is known and starts the refresh.
  rig.verifier.verifyCached(token)
  await settled(() => rig.verifier.verifyCached(token) === undefined)
  expect(rig.host.questions).toBe(2)
  expect(await outcome(rig.verifier, token)).toBe('UNKNOWN_KEY')
})

test('while the issuer is away known keys serve for an hour, then nothing is accepted until it is back', async () => {
  await using rig = await startVerifier(jwksAnswer(first.made.publicJwk))
  const token = await tokenOf(first.key)
  await rig.verifier.verify(token)
  rig.host.answer = down
  rig.clock.advance(59 * 60_000)
  expect(await outcome(rig.verifier, token)).toBe('ACCEPTED')
  await settled(() => rig.errors.length === 1)
  expect(await outcome(rig.verifier, await tokenOf(first.key, 2))).toBe('ACCEPTED')
  // A kid nobody knows might be new: without the issuer nobody can say that its token is wrong.
  expect(await outcome(rig.verifier, await tokenOf(second.key))).toBe('KEYS_UNAVAILABLE')
  rig.clock.advance(60_000)
  expect(rig.verifier.verifyCached(token)).toBeUndefined()
  expect(await outcome(rig.verifier, token)).toBe('KEYS_UNAVAILABLE')
  rig.host.answer = jwksAnswer(first.made.publicJwk)
  rig.clock.advance(1_000)
  expect(await outcome(rig.verifier, token)).toBe('ACCEPTED')
})

test('keys grow old while the machine sleeps', async () => {
  await using rig = await startVerifier(jwksAnswer(first.made.publicJwk))
  const token = await tokenOf(first.key)
  await rig.verifier.verify(token)
  rig.host.answer = down
  rig.clock.sleep(60 * 60_000)
  expect(await outcome(rig.verifier, token)).toBe('KEYS_UNAVAILABLE')
})

test('an issuer that has never answered is asked once a second at most, however many wait', async () => {
  await using rig = await startVerifier(down)
  const tokens = await Promise.all(Array.from({ length: 100 }, (_, tep) => tokenOf(first.key, tep)))
  const flood = () => Promise.all(tokens.map((token) => outcome(rig.verifier, token)))
  expect(new Set(await flood())).toEqual(new Set(['KEYS_UNAVAILABLE']))
  await flood()
  expect(rig.host.questions).toBe(1)
  rig.clock.advance(1_000)
  await flood()
  expect(rig.host.questions).toBe(2)
})

describe('what is no whole JWK set from the address itself is no key at all', () => {
  const elsewhere = { status: 302, headers: { location: '/elsewhere' } }
  test.each<readonly [string, Answer]>([
    ['an error', down],
    ['no JSON', (_request, response) => response.end('keys')],
    ['no set', (_request, response) => response.end('[]')],
    [
      'a redirect',
      (request, response) =>
        request.url === '/elsewhere'
          ? jwksAnswer(first.made.publicJwk)(request, response)
          : response.writeHead(elsewhere.status, elsewhere.headers).end(),
    ],
    ['more than 64 KiB', (_request, response) => response.end(' '.repeat(70_000) + setOfFirst)],
    [
      'half an answer',
      (_request, response) => {
        response.writeHead(200, { 'content-length': 5_000 }).write('{"keys":[')
        setTimeout(() => response.destroy(), 20)
      },
    ],
  ])('%s', async (_name, answer) => {
    await using rig = await startVerifier(answer)
    expect(await outcome(rig.verifier, await tokenOf(first.key))).toBe('KEYS_UNAVAILABLE')
    expect(rig.errors).toHaveLength(1)
  })

  test('an issuer that never answers is given up after five seconds', async () => {
    await using rig = await startVerifier(() => {})
    const began = performance.now()
    expect(await outcome(rig.verifier, await tokenOf(first.key))).toBe('KEYS_UNAVAILABLE')
    expect(performance.now() - began).toBeGreaterThan(4_900)
    expect(rig.errors).toHaveLength(1)
  })
})

test('a listener for errors that throws takes nothing from those who wait', async () => {
  await using rig = await startVerifier(down, {
    onKeysError: () => {
      throw new Error('of the listener')
    },
  })
  expect(await outcome(rig.verifier, await tokenOf(first.key))).toBe('KEYS_UNAVAILABLE')
})
