import { makeSigningKey, type NewSigningKey, openSigningKey, type SigningKey } from '../../src/jwt/signing-key.ts'
import type { TenantTokenClaims } from '../../src/jwt/tenant-token-claims.ts'

/** Tokens of tests: whole and valid, so that a test changes the one thing it is about. */

export const testIssuer = 'http://127.0.0.1:7081'
export const testAudience = 'orders'
/** Tokens of `tokenClaims` are valid for a quarter of an hour from here. */
export const issuedAtMs = 1_800_000_000_000

export const acme = {
  tid: '01890000-0000-7000-8000-00000000000a',
  tenant: 'acme',
  prod: '01890000-0000-7000-8000-0000000000a1',
  staging: '01890000-0000-7000-8000-0000000000a2',
}

export function tokenClaims(changes: Partial<TenantTokenClaims> = {}): TenantTokenClaims {
  const issued = issuedAtMs / 1_000
  return {
    iss: testIssuer,
    sub: 'tenants/acme/users/alice',
    aud: [testAudience],
    exp: issued + 900,
    iat: issued,
    nbf: issued,
    jti: '01890000-0000-7000-8000-0000000000f1',
    client_id: 'tenants/acme/serviceAccounts/web',
    tid: acme.tid,
    tenant: acme.tenant,
    tep: 1,
    rev: 42,
    workspaces: [
      { id: acme.prod, slug: 'prod', epoch: 1, permissions: ['orders.read', 'orders.write'] },
      { id: acme.staging, slug: 'staging', epoch: 3, permissions: ['orders.read'] },
    ],
    permissions: ['workspaces.list'],
    tier: 'standard',
    region: 'eu-central-1',
    entitlements: { 'orders.export': true, seats: 25, support: 'gold' },
    roles: ['roles/member'],
    pep: 2,
    online_required: false,
    ...changes,
  }
}

/** Always the same key for the same `fill`: a test key, good for nothing but tests. */
export async function testSigningKey(fill = 7): Promise<{ readonly made: NewSigningKey; readonly key: SigningKey }> {
  const made = await makeSigningKey((bytes) => bytes.fill(fill))
  return { made, key: await openSigningKey(made) }
}
