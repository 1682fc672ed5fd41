import { createHmac, generateKeyPairSync, sign } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { signTenantToken } from '../../../src/jwt/sign-tenant-token.ts'
import { TokenError } from '../../../src/jwt/token-error.ts'
import { maxTokenBytes } from '../../../src/jwt/token-form.ts'
import { openVerificationKeys } from '../../../src/jwt/verification-keys.ts'
import { type VerifyTenantTokenOptions, verifyTenantToken } from '../../../src/jwt/verify-tenant-token.ts'
import { issuedAtMs, testAudience, testIssuer, testSigningKey, tokenClaims } from '../../support/tenant-token.ts'

const { made, key } = await testSigningKey()
const keys = (await openVerificationKeys({ keys: [made.publicJwk] })) ?? new Map()
const good = await signTenantToken(tokenClaims(), key)

let keyQuestions = 0
const expectation: VerifyTenantTokenOptions = {
  issuer: testIssuer,
  audience: testAudience,
  clockToleranceSeconds: 30,
  nowMs: issuedAtMs,
  keyOf: (kid) => {
    keyQuestions += 1
    return keys.get(kid)
  },
}

async function reasonOf(token: unknown, changes: Partial<VerifyTenantTokenOptions> = {}): Promise<string> {
  try {
    await verifyTenantToken(token as string, { ...expectation, ...changes })
    return 'ACCEPTED'
  } catch (error) {
    if (!(error instanceof TokenError)) throw error
    return error.reason
  }
}

const part = (value: unknown): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')

/** Any header over any payload, signed with the true key: what a broken or hostile issuer could send. */
async function signedAs(header: unknown, payload: unknown = tokenClaims()): Promise<string> {
  const input = `${part(header)}.${part(payload)}`
  const signature = await crypto.subtle.sign('Ed25519', key.privateKey, Buffer.from(input))
  return `${input}.${Buffer.from(signature).toString('base64url')}`
}

const header = { alg: 'EdDSA', typ: 'at+jwt', kid: key.kid }

test('the token of this issuer for this audience is accepted, and what it says comes back frozen', async () => {
  const claims = await verifyTenantToken(good, expectation)
  expect({ ...claims, entitlements: { ...claims.entitlements } }).toEqual(tokenClaims())
  const first = claims.workspaces[0]?.permissions as string[]
  expect(() => first.push('orders.delete')).toThrow(TypeError)
  expect(Object.isFrozen(claims) && Object.isFrozen(claims.workspaces[0]) && Object.isFrozen(claims.entitlements)).toBe(
    true,
  )
})

describe('a token signed some other way is refused, whatever its header asks for', () => {
  const payload = part(tokenClaims())
  const hmacInput = `${part({ ...header, alg: 'HS256' })}.${payload}`
  const ecInput = `${part({ ...header, alg: 'ES256' })}.${payload}`
  const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const publicText = Buffer.from(made.publicJwk.x, 'base64url')
  const cases: readonly (readonly [name: string, token: string, reason: string])[] = [
    ['alg none', `${part({ ...header, alg: 'none' })}.${payload}.`, 'WRONG_ALGORITHM'],
    ['alg none with a signature', good.replace(/^[^.]+/, part({ ...header, alg: 'none' })), 'WRONG_ALGORITHM'],
    [
      'HS256 under the public key',
      `${hmacInput}.${createHmac('sha256', publicText).update(hmacInput).digest('base64url')}`,
      'WRONG_ALGORITHM',
    ],
    [
      'ES256',
      `${ecInput}.${sign('sha256', Buffer.from(ecInput), { key: ec.privateKey, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`,
      'WRONG_ALGORITHM',
    ],
  ]
  test.each(cases)('%s', async (_name, token, reason) => {
    expect(await reasonOf(token)).toBe(reason)
  })
})

describe('a header of another form is refused although its signature is true', () => {
  const { alg, typ, kid } = header
  test.each<readonly [string, unknown, string]>([
    ['no alg', { typ, kid }, 'WRONG_ALGORITHM'],
    ['alg in other letters', { alg: 'eddsa', typ, kid }, 'WRONG_ALGORITHM'],
    ['two algs', `{"alg":"none","alg":"EdDSA","typ":"at+jwt","kid":"${kid}"}`, 'MALFORMED'],
    ['two kids', `{"alg":"EdDSA","typ":"at+jwt","kid":"x","kid":"${kid}"}`, 'MALFORMED'],
    ['escaped names', `{"\\u0061lg":"EdDSA","typ":"at+jwt","kid":"${kid}"}`, 'MALFORMED'],
    ['spaces', JSON.stringify(header, null, 1), 'MALFORMED'],
    ['crit', { ...header, crit: ['exp'], exp: 1 }, 'MALFORMED'],
    ['b64', { ...header, crit: ['b64'], b64: false }, 'MALFORMED'],
    ['a key of its own', { ...header, jwk: made.publicJwk }, 'MALFORMED'],
    ['a place to fetch the key', { ...header, jku: 'http://127.0.0.1:1/' }, 'MALFORMED'],
    ['an ID token', { ...header, typ: 'JWT' }, 'WRONG_TYPE'],
    ['no type', { alg, kid }, 'WRONG_TYPE'],
    ['the type in capitals', { ...header, typ: 'AT+JWT' }, 'WRONG_TYPE'],
    ['no JSON', 'alg=EdDSA', 'MALFORMED'],
    ['an array', [header], 'MALFORMED'],
  ])('%s', async (_name, changed, reason) => {
    keyQuestions = 0
    expect(await reasonOf(await signedAs(changed))).toBe(reason)
    expect(keyQuestions).toBe(0)
  })
})

describe('a kid of another form is refused without asking for a key', () => {
  test.each<readonly [string, unknown]>([
    ['absent', undefined],
    ['a number', 7],
    ['a path', '../../etc/passwd'],
    ['SQL', "' OR 1=1 --"],
    ['too long', 'k'.repeat(2_000)],
    ['one character less', key.kid.slice(1)],
    ['another spelling of the same hash', `${key.kid.slice(0, 42)}B`],
  ])('%s', async (_name, kid) => {
    keyQuestions = 0
    expect(await reasonOf(await signedAs({ ...header, kid }))).toBe('UNKNOWN_KEY')
    expect(keyQuestions).toBe(0)
  })

  test('one of the right form that nobody knows is refused after one question', async () => {
    const other = await testSigningKey(8)
    keyQuestions = 0
    expect(await reasonOf(await signTenantToken(tokenClaims(), other.key))).toBe('UNKNOWN_KEY')
    expect(keyQuestions).toBe(1)
  })
})

describe('a token has one spelling', () => {
  const [first = '', second = '', third = ''] = good.split('.')
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  const lastBits = alphabet.indexOf(third.slice(-1))
  const spellings = Array.from({ length: 15 }, (_, i) => `${good.slice(0, -1)}${alphabet[lastBits ^ (i + 1)]}`)

  test('sixteen signatures decode to the same bytes, and one is accepted', async () => {
    const bytes = Buffer.from(third, 'base64url')
    expect(spellings.map((text) => Buffer.from(text.split('.')[2] ?? '', 'base64url').equals(bytes))).not.toContain(
      false,
    )
    expect(await Promise.all(spellings.map((text) => reasonOf(text)))).toEqual(Array(15).fill('MALFORMED'))
    expect(await reasonOf(good)).toBe('ACCEPTED')
  })

  test.each<readonly [string, unknown]>([
    ['a line end behind it', `${good}\n`],
    ['a space before it', ` ${good}`],
    ['a line end inside', `${first}.\n${second}.${third}`],
    ['padding', `${good}==`],
    ['base64 instead of base64url', `${first}.${second}.${'+/'.repeat(43)}`],
    ['a fourth segment', `${good}.`],
    ['a fourth segment that says something', `${good}.${third}`],
    ['two segments', `${first}.${second}`],
    ['nothing', ''],
    ['dots', '..'],
    ['truncated', good.slice(0, -4)],
    ['no text', undefined],
    ['an array of one', [good]],
  ])('%s is refused', async (_name, text) => {
    keyQuestions = 0
    expect(await reasonOf(text)).toBe('MALFORMED')
    expect(keyQuestions).toBe(0)
  })

  test('a signature has no second value: S and S + L are not both accepted', async () => {
    const bytes = Buffer.from(third, 'base64url')
    const order = 2n ** 252n + 27742317777372353535851937790883648493n
    const scalar = BigInt(`0x${Buffer.from(bytes.subarray(32)).reverse().toString('hex')}`) + order
    const other = Buffer.from(scalar.toString(16).padStart(64, '0'), 'hex').reverse()
    const twin = Buffer.concat([bytes.subarray(0, 32), other]).toString('base64url')
    expect(await reasonOf(`${first}.${second}.${twin}`)).toBe('BAD_SIGNATURE')
  })

  test('what is changed anywhere does not verify', async () => {
    const payload = part({ ...tokenClaims(), sub: 'tenants/acme/users/mallory' })
    expect(await reasonOf(`${first}.${payload}.${third}`)).toBe('BAD_SIGNATURE')
    const flipped = `${third.startsWith('A') ? 'B' : 'A'}${third.slice(1)}`
    expect(await reasonOf(`${first}.${second}.${flipped}`)).toBe('BAD_SIGNATURE')
  })
})

test('a megabyte is refused by its length, before anything of it is read', async () => {
  keyQuestions = 0
  const huge = `${good.slice(0, 10)}${'A'.repeat(1_000_000)}`
  const began = performance.now()
  for (let i = 0; i < 1_000; i += 1) expect(await reasonOf(huge)).toBe('TOO_LARGE')
  // A millisecond each; a thousand of them, so that no pause of the machine decides.
  expect(performance.now() - began).toBeLessThan(1_000)
  expect(keyQuestions).toBe(0)
})

describe('who issued it, for whom and when', () => {
  const issued = issuedAtMs / 1_000
  test.each<readonly [string, Partial<VerifyTenantTokenOptions>, string]>([
    ['another issuer', { issuer: 'http://127.0.0.1:7082' }, 'WRONG_ISSUER'],
    ['the issuer with a slash more', { issuer: `${testIssuer}/` }, 'WRONG_ISSUER'],
    ['another audience', { audience: 'billing' }, 'WRONG_AUDIENCE'],
    ['the beginning of the audience', { audience: 'order' }, 'WRONG_AUDIENCE'],
    ['the last millisecond of the skew', { nowMs: issuedAtMs + 929_999 }, 'ACCEPTED'],
    ['the end of the skew', { nowMs: issuedAtMs + 930_000 }, 'EXPIRED'],
    ['its own last millisecond', { nowMs: issuedAtMs + 899_999, clockToleranceSeconds: 0 }, 'ACCEPTED'],
    ['its own end', { nowMs: issuedAtMs + 900_000, clockToleranceSeconds: 0 }, 'EXPIRED'],
    ['the skew before it', { nowMs: issuedAtMs - 30_000 }, 'ACCEPTED'],
    ['earlier than the skew', { nowMs: issuedAtMs - 30_001 }, 'NOT_YET_VALID'],
    ['a clock that answers no number', { nowMs: Number.NaN }, 'EXPIRED'],
  ])('%s', async (_name, changes, reason) => {
    expect(await reasonOf(good, changes)).toBe(reason)
  })

  test('a token issued in the future is not valid yet, whatever its nbf says', async () => {
    expect(await reasonOf(await signedAs(header, { ...tokenClaims(), iat: issued + 60 }))).toBe('NOT_YET_VALID')
  })

  test('an empty issuer or audience is a mistake of the program, not a check left out', async () => {
    await expect(verifyTenantToken(good, { ...expectation, audience: '' })).rejects.toThrow(TypeError)
    await expect(verifyTenantToken(good, { ...expectation, issuer: '' })).rejects.toThrow(TypeError)
  })
})

test('claims that only look right are refused although their signature is true', async () => {
  const payloads = [
    { ...tokenClaims(), aud: testAudience },
    { ...tokenClaims(), tid: 'acme' },
    { ...tokenClaims(), exp: String(tokenClaims().exp) },
    JSON.stringify(tokenClaims()).replace(/"exp":\d+/, '"exp":1e400'),
    '',
    '[]',
    'null',
  ]
  for (const payload of payloads) expect(await reasonOf(await signedAs(header, payload))).toBe('BAD_CLAIMS')
})

test('no refusal carries anything of the token', async () => {
  const changed = await signedAs({ ...header, kid: undefined })
  const errors = await Promise.all(
    [`${good}\n`, changed, good.replace(/\.[^.]+\./, `.${part('{"secret":')}.`)].map((token) =>
      verifyTenantToken(token, expectation).catch((error: unknown) => error),
    ),
  )
  for (const error of errors) {
    expect(error).toBeInstanceOf(TokenError)
    expect((error as TokenError).cause).toBeUndefined()
    expect((error as TokenError).message).not.toMatch(/alice|acme|eyJ/)
  }
})

describe('signing', () => {
  test('never makes what a verifier refuses', async () => {
    await expect(signTenantToken(tokenClaims({ aud: [] }), key)).rejects.toMatchObject({ reason: 'BAD_CLAIMS' })
    await expect(signTenantToken(tokenClaims({ sub: 'tenants/globex/users/bob' }), key)).rejects.toMatchObject({
      reason: 'BAD_CLAIMS',
    })
  })

  test('what is longer than the limit is refused, and what is just short of it verifies', async () => {
    const roles = (count: number) => Array.from({ length: count }, (_, i) => `tenants/acme/roles/some-role-${i}`)
    const lengths: number[] = []
    for (let count = 0; count < 100; count += 1) {
      try {
        const token = await signTenantToken(tokenClaims({ roles: roles(count) }), key)
        lengths.push(token.length)
        expect(await reasonOf(token)).toBe('ACCEPTED')
      } catch (error) {
        expect(error).toMatchObject({ reason: 'TOO_LARGE' })
      }
    }
    expect(lengths.length).toBeLessThan(100)
    expect(lengths.at(-1)).toBeGreaterThan(maxTokenBytes - 60)
  })
})
