import { generateKeyPairSync } from 'node:crypto'
import { CompactSign, calculateJwkThumbprint } from 'jose'
import { expect, test } from 'vitest'
import { createVerifier } from '../../src/sdk/verifier.ts'
import { seedPermissions, seedTenant } from '../support/fixture.ts'
import { openSideDoor } from '../support/side-door.ts'
import { startTestServer } from '../support/test-server.ts'

test('a public key that the keyring has sealed no private half of is not published', async () => {
  await using first = await startTestServer()
  await seedPermissions(first)
  const acme = await seedTenant(first, 'acme')
  await first.stop()
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  const { x = '' } = publicKey.export({ format: 'jwk' })
  const kid = await calculateJwkThumbprint({ kty: 'OKP', crv: 'Ed25519', x })
  {
    await using rows = await openSideDoor(first.databaseUrl)
    const jwk = { kty: 'OKP', crv: 'Ed25519', x, kid, use: 'sig', alg: 'EdDSA' }
    await rows.run(
      "INSERT INTO signing_keys (signing_key_id, kid, algorithm, public_key, envelope, state, create_time) VALUES (?, ?, 'EdDSA', ?, ?, 'TAINTED', '2026-01-01 00:00:00.000')",
      [crypto.randomUUID(), kid, JSON.stringify(jwk), Buffer.of(0)],
    )
  }
  await using server = await startTestServer({ folder: first.folder })
  const now = Math.floor(Date.now() / 1000)
  const claims = {
    ...{ iss: server.httpUrl, sub: 'tenants/acme/users/alice', aud: ['orders'], exp: now + 600, iat: now, nbf: now },
    ...{ jti: crypto.randomUUID(), client_id: 'x', tid: acme.uid, tenant: 'acme', tep: 0, rev: 1 },
    workspaces: [{ id: crypto.randomUUID(), slug: 'prod', epoch: 0, permissions: ['orders.write'] }],
    ...{
      permissions: [],
      tier: 'standard',
      region: 'local',
      entitlements: {},
      roles: [],
      pep: 0,
      online_required: false,
    },
  }
  const forged = await new CompactSign(Buffer.from(JSON.stringify(claims)))
    .setProtectedHeader({ alg: 'EdDSA', typ: 'at+jwt', kid })
    .sign(privateKey)
  const verifier = createVerifier({
    issuer: server.httpUrl,
    audience: 'orders',
    jwks: `${server.httpUrl}/.well-known/jwks.json`,
  })
  await expect(verifier.verify(forged)).rejects.toMatchObject({ reason: 'UNKNOWN_KEY' })
})
