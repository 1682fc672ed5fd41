import { expect, test } from 'vitest'
import { nameIn, parseName, placeName, platformPlace, reservedSlugs } from '../../../src/base/resource-name.ts'
import { checkSlug, slugFromUid } from '../../../src/base/slug.ts'

test.each([
  ['', { tenant: '', workspace: '', collection: '', id: '', part: '' }],
  ['tenants/acme', { tenant: 'acme', workspace: '', collection: 'tenants', id: 'acme', part: '' }],
  [
    'tenants/acme/workspaces/prod',
    { tenant: 'acme', workspace: 'prod', collection: 'workspaces', id: 'prod', part: '' },
  ],
  ['tenants/acme/users/bob', { tenant: 'acme', workspace: '', collection: 'users', id: 'bob', part: '' }],
  [
    'tenants/acme/workspaces/prod/memberships/m1',
    { tenant: 'acme', workspace: 'prod', collection: 'memberships', id: 'm1', part: '' },
  ],
  [
    'tenants/acme/workspaces/prod/secrets/db/versions/3',
    { tenant: 'acme', workspace: 'prod', collection: 'secrets', id: 'db', part: '3' },
  ],
  ['permissions/orders.read', { tenant: '', workspace: '', collection: 'permissions', id: 'orders.read', part: '' }],
])('the name %j says where it lies', (name, expected) => {
  expect(parseName(name)).toEqual(expected)
})

test.each([
  'tenants',
  'tenants/acme/users',
  'tenants/acme/users/bob/keys/k1',
  'tenants/acme/workspaces/prod/memberships/m1/more/x',
  'tenants/acme/workspaces/prod/memberships/m1/versions/3',
  'tenants/acme/workspaces/prod/secrets/db/more/3',
  'tenants/acme/workspaces/prod/secrets/db/versions/3/versions/4',
  'permissions/orders.read/tenants/acme',
])('%j pairs up with nothing', (name) => {
  expect(parseName(name)).toBeUndefined()
})

test('a name of one tenant never lies in another, wherever the other is mentioned', () => {
  expect(parseName('users/tenants/tenants/globex')).toBeUndefined()
  expect(parseName('tenants/acme/tenants/globex')?.tenant).toBe('acme')
})

test('a name is made from the place it is read to', () => {
  for (const place of [platformPlace, { tenant: 'acme', workspace: '' }, { tenant: 'acme', workspace: 'prod' }]) {
    const name = nameIn(place, 'roles', 'reader')
    expect(parseName(name)).toEqual({ ...place, collection: 'roles', id: 'reader', part: '' })
    const own = parseName(placeName(place))
    expect({ tenant: own?.tenant, workspace: own?.workspace }).toEqual(place)
  }
})

test('a reserved word is refused as a slug, with the field that held it', () => {
  for (const slug of reservedSlugs) {
    expect(() => checkSlug('tenant_id', slug)).toThrow(
      expect.objectContaining({
        reason: 'INVALID_FIELD',
        fieldViolations: [expect.objectContaining({ field: 'tenant_id' })],
      }),
    )
  }
  expect(() => checkSlug('tenant_id', 'acme')).not.toThrow()
})

test('a slug made from a uid is one that a slug may be', () => {
  const slug = slugFromUid('user', '01890a5d-ac96-774b-bcce-b302099a8057')
  expect(slug).toMatch(/^[a-z][a-z0-9-]{1,61}[a-z0-9]$/)
  expect(slug).not.toBe(slugFromUid('user', '01890a5d-ac96-774b-bcce-b302099a8058'))
})
