import { createHash, createPrivateKey, createPublicKey, verify } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { signTenantToken } from '../../../src/jwt/sign-tenant-token.ts'
import { openVerificationKeys } from '../../../src/jwt/verification-keys.ts'
import { verifyTenantToken } from '../../../src/jwt/verify-tenant-token.ts'
import { issuedAtMs, testAudience, testIssuer, testSigningKey, tokenClaims } from '../../support/tenant-token.ts'

const file = new URL('./token-vector.json', import.meta.url)

interface Vector {
  readonly jwk: Readonly<Record<string, string>>
  readonly token: string
}

const storedVector = (): Vector => JSON.parse(readFileSync(file, 'utf8'))
const vectorClaims = tokenClaims({ act: { sub: 'serviceAccounts/support' } })

test('tokens and published keys are written as ever; UPDATE_VECTORS=1 rewrites the vector', async () => {
  const { made, key } = await testSigningKey()
  const vector = { jwk: { ...made.publicJwk }, token: await signTenantToken(vectorClaims, key) }
  if (process.env.UPDATE_VECTORS === '1') writeFileSync(file, `${JSON.stringify(vector, null, 2)}\n`)
  expect(vector).toEqual(storedVector())
})

test('what was signed once still verifies', async () => {
  const { jwk, token } = storedVector()
  const keys = await openVerificationKeys({ keys: [jwk] })
  const claims = await verifyTenantToken(token, {
    issuer: testIssuer,
    audience: testAudience,
    clockToleranceSeconds: 0,
    nowMs: issuedAtMs,
    keyOf: (kid) => keys?.get(kid),
  })
  expect({ ...claims, entitlements: { ...claims.entitlements } }).toEqual(vectorClaims)
})

test('the form is what it is said to be: JWS compact, Ed25519, the thumbprint of RFC 7638, taken apart by hand', async () => {
  const { jwk, token } = storedVector()
  const [header = '', payload = '', signature = ''] = token.split('.')
  const kid = createHash('sha256').update(`{"crv":"Ed25519","kty":"OKP","x":"${jwk.x}"}`).digest('base64url')
  expect(Buffer.from(header, 'base64url').toString()).toBe(`{"alg":"EdDSA","typ":"at+jwt","kid":"${kid}"}`)
  expect(JSON.parse(Buffer.from(payload, 'base64url').toString())).toEqual(vectorClaims)
  const { made } = await testSigningKey()
  const privateKey = createPrivateKey({ key: Buffer.from(made.privateKeyPkcs8), format: 'der', type: 'pkcs8' })
  const signed = Buffer.from(`${header}.${payload}`)
  expect(verify(null, signed, createPublicKey(privateKey), Buffer.from(signature, 'base64url'))).toBe(true)
})
