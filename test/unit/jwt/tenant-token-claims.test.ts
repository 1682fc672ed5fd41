import { describe, expect, test } from 'vitest'
import { parseTenantTokenClaims } from '../../../src/jwt/tenant-token-claims.ts'
import { acme, tokenClaims } from '../../support/tenant-token.ts'

const whole = JSON.parse(JSON.stringify(tokenClaims({ act: { sub: 'serviceAccounts/support' } })))
const grant = whole.workspaces[0]

/** What may never stand in the claim. Beside these, every claim but `act` may not be absent, and none may be null. */
const wrongValues: Readonly<Record<string, readonly unknown[]>> = {
  iss: ['', 7, ['http://127.0.0.1:7081'], 'two words', 'line\nend'],
  sub: ['alice', 'tenants/globex/users/bob', 'tenants/acme/users/', 'tenants/acme/users/alice/x', 'users/alice', 7],
  aud: ['orders', [], [''], ['orders', 7], { 0: 'orders', length: 1 }],
  exp: ['1800000900', -1, 1.5, Number.POSITIVE_INFINITY, Number.NaN, 253_402_300_800, whole.nbf],
  iat: ['1800000000', -1, 0.5, whole.exp],
  nbf: ['1800000000', -1, 0.5, whole.exp],
  jti: ['', 'f1', 7, whole.jti.toUpperCase().replace('F1', 'FF')],
  client_id: ['', 7, 'two words'],
  tid: ['acme', '', '00000000-0000-0000-0000-000000000000', [whole.tid]],
  tenant: ['', 'Acme', 'a', 'acme-', '../acme', ['acme']],
  tep: ['1', -1, 1.5, Number.MAX_SAFE_INTEGER + 1, true],
  rev: ['1', -1, 1.5],
  pep: ['1', -1, 1.5],
  workspaces: [
    {},
    'prod',
    [grant, { ...grant, slug: 'other' }],
    [grant, { ...grant, id: acme.staging }],
    [{ ...grant, id: 'prod' }],
    [{ ...grant, slug: 'Prod' }],
    [{ ...grant, epoch: -1 }],
    [{ ...grant, permissions: 'orders.read' }],
    [{ ...grant, permissions: ['*'] }],
    [{ slug: 'prod', epoch: 1, permissions: [] }],
    [null],
  ],
  permissions: ['orders.read', ['orders'], ['orders.*'], [7], {}],
  tier: ['', 'Gold', 7],
  region: ['EU', 7, 'eu central'],
  entitlements: [[], 'all', { seats: null }, { seats: {} }, { 'Two Words': true }, JSON.parse('{"__proto__": true}')],
  roles: ['roles/owner', [''], [7], ['roles/../owner x']],
  act: ['serviceAccounts/support', {}, { sub: 'tenants/globex/users/bob' }, []],
  online_required: ['false', 0, 1],
}

test('what Tenure issues is read, claim by claim', () => {
  const claims = parseTenantTokenClaims(whole)
  expect({ ...claims, entitlements: { ...claims?.entitlements } }).toEqual(whole)
  expect(Object.keys(wrongValues).sort()).toEqual(Object.keys(whole).sort())
})

describe.each(Object.entries(wrongValues))('a token is refused for its claim %s', (name, values) => {
  test.each(values.map((value) => [JSON.stringify(value), value]))('%s', (_text, value) => {
    expect(parseTenantTokenClaims({ ...whole, [name]: value })).toBeUndefined()
  })

  test('null', () => {
    expect(parseTenantTokenClaims({ ...whole, [name]: null })).toBeUndefined()
  })

  test('absent', () => {
    const { [name]: _left, ...others } = whole
    expect(parseTenantTokenClaims(others) === undefined).toBe(name !== 'act')
  })
})

test.each([undefined, null, 'claims', 7, [], [whole]])('%j is no set of claims', (payload) => {
  expect(parseTenantTokenClaims(payload)).toBeUndefined()
})

test.each(['', 'local', 'eu-central-1', '2-east', '0'.repeat(40)])(
  'a region may be called %j, as a cell may',
  (region) => {
    expect(parseTenantTokenClaims({ ...whole, region })?.region).toBe(region)
  },
)

test('claims of a later version are passed over, not carried on', () => {
  expect(parseTenantTokenClaims({ ...whole, cnf: { jkt: 'x' } })).toEqual(parseTenantTokenClaims(whole))
})

test('asking for an entitlement nobody gave finds nothing, whatever it is called', () => {
  const claims = parseTenantTokenClaims(whole)
  expect(['constructor', 'toString', '__proto__'].map((name) => claims?.entitlements[name])).toEqual(
    Array(3).fill(undefined),
  )
})
