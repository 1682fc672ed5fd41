import { afterAll, beforeAll, expect, test } from 'vitest'
import { SigningKey_State } from '../../src/gen/tenure/v1/signing_key_pb.ts'
import { SigningKeyService } from '../../src/gen/tenure/v1/signing_key_service_pb.ts'
import { TokenService } from '../../src/gen/tenure/v1/token_service_pb.ts'
import { openVerificationKeys } from '../../src/jwt/verification-keys.ts'
import { verifyTenantToken } from '../../src/jwt/verify-tenant-token.ts'
import { seedPermissions, seedTenant, type TenantFixture } from '../support/fixture.ts'
import { reasonOf } from '../support/reason.ts'
import { openSideDoor } from '../support/side-door.ts'
import { startTestServer, type TestServer } from '../support/test-server.ts'

let server: TestServer
let acme: TenantFixture

beforeAll(async () => {
  server = await startTestServer()
  await seedPermissions(server)
  acme = await seedTenant(server, 'acme')
})

afterAll(() => server[Symbol.asyncDispose]())

const get = (path: string) => fetch(`${server.httpUrl}${path}`)

test('keys and metadata are found where verifiers look, and over gRPC, and are for everybody', async () => {
  const jwks = await get('/.well-known/jwks.json')
  expect(jwks.headers.get('cache-control')).toBe('public, max-age=300')
  const { keys } = (await jwks.json()) as { keys: Record<string, string>[] }
  expect(keys).toEqual([
    { kty: 'OKP', crv: 'Ed25519', x: expect.any(String), kid: expect.any(String), use: 'sig', alg: 'EdDSA' },
  ])
  for (const name of ['openid-configuration', 'oauth-authorization-server']) {
    expect(await (await get(`/.well-known/${name}`)).json()).toMatchObject({
      issuer: server.httpUrl,
      jwks_uri: `${server.httpUrl}/.well-known/jwks.json`,
      id_token_signing_alg_values_supported: ['EdDSA'],
    })
  }
  const rpc = await server.client(SigningKeyService, '').getJwks({})
  expect(rpc.keys.map(({ $typeName: _, $unknown: __, ...key }) => key)).toEqual(keys)
  const { signingKeys } = await server.client(SigningKeyService).listSigningKeys({})
  expect(signingKeys).toMatchObject([{ name: `signingKeys/${keys[0]?.kid}`, state: SigningKey_State.ACTIVE }])
  expect(await reasonOf(server.client(SigningKeyService, acme.ownerKey).listSigningKeys({}))).toBe('PERMISSION_MISSING')
})

test('the database holds the private half sealed, and beside it only what is published', async () => {
  await using rows = await openSideDoor(server.databaseUrl)
  const [row] = await rows.all('SELECT public_key, envelope FROM signing_keys', [])
  const { keys } = (await (await get('/.well-known/jwks.json')).json()) as { keys: object[] }
  expect(JSON.parse(String(row?.public_key))).toEqual(keys[0])
  // PKCS #8 of Ed25519 in DER begins like this.
  expect(Buffer.from(row?.envelope as Uint8Array).includes(Buffer.from('302e020100300506032b6570', 'hex'))).toBe(false)
})

test('what was signed before a restart is still good after it, and the key is made once', async () => {
  const { token } = await server
    .client(TokenService)
    .issueToken({ parent: 'tenants/acme', principal: { kind: { case: 'user', value: acme.alice } } })
  const folder = server.folder
  const { issuer } = { issuer: server.httpUrl }
  await server.stop()
  await using again = await startTestServer({ folder, env: { TENURE_ISSUER: issuer } })
  const jwks = await (await fetch(`${again.httpUrl}/.well-known/jwks.json`)).json()
  const keys = await openVerificationKeys(jwks)
  expect(keys?.size).toBe(1)
  const options = { issuer, audience: 'tenure', nowMs: Date.now(), clockToleranceSeconds: 0 }
  expect((await verifyTenantToken(token, { ...options, keyOf: (kid) => keys?.get(kid) })).sub).toBe(acme.alice)
})
