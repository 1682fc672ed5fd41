import { afterAll, beforeAll, expect, test } from 'vitest'
import { AccessService, DecisionReason } from '../../src/gen/tenure/v1/access_service_pb.ts'
import { ApiKeyService } from '../../src/gen/tenure/v1/api_key_service_pb.ts'
import { Membership_WorkspaceReach } from '../../src/gen/tenure/v1/membership_pb.ts'
import { MembershipService } from '../../src/gen/tenure/v1/membership_service_pb.ts'
import { RoleService } from '../../src/gen/tenure/v1/role_service_pb.ts'
import { ServiceAccountService } from '../../src/gen/tenure/v1/service_account_service_pb.ts'
import { TenantService } from '../../src/gen/tenure/v1/tenant_service_pb.ts'
import { UserService } from '../../src/gen/tenure/v1/user_service_pb.ts'
import { seedPermissions, seedTenant, type TenantFixture } from '../support/fixture.ts'
import { reasonOf } from '../support/reason.ts'
import { startTestServer, type TestServer } from '../support/test-server.ts'

let server: TestServer
let acme: TenantFixture

beforeAll(async () => {
  server = await startTestServer()
  await seedPermissions(server)
  acme = await seedTenant(server, 'acme')
})

afterAll(() => server[Symbol.asyncDispose]())

function memberships(key: string) {
  return server.client(MembershipService, key)
}

test('nobody grants by membership what they do not hold', async () => {
  const membership = { member: { case: 'user' as const, value: acme.bob }, roles: ['roles/owner'] }
  const ask = memberships(acme.adminKey).createMembership({ parent: acme.name, membership })
  expect(await reasonOf(ask)).toBe('GRANT_EXCEEDS_CALLER')
})

test('nobody reaches every workspace with a grant who does not reach them', async () => {
  const parent = acme.name
  await server.client(ServiceAccountService).createServiceAccount({ parent, serviceAccountId: 'near-owner' })
  const account = `${parent}/serviceAccounts/near-owner`
  await memberships(acme.ownerKey).createMembership({
    parent,
    membership: { member: { case: 'serviceAccount', value: account }, roles: ['roles/owner'] },
  })
  const { secret } = await server
    .client(ApiKeyService, acme.ownerKey)
    .createApiKey({ parent, apiKey: { owner: { case: 'serviceAccount', value: account } } })
  const far = memberships(secret).createMembership({
    parent,
    membership: {
      member: { case: 'user', value: acme.bob },
      roles: ['roles/viewer'],
      workspaceReach: Membership_WorkspaceReach.ALL,
    },
  })
  expect(await reasonOf(far)).toBe('GRANT_EXCEEDS_CALLER')
  await memberships(acme.ownerKey).listMemberships({ parent, filter: `service_account = "${account}"` })
})

test('nobody makes a role with a permission they do not hold, and none with an unknown one', async () => {
  const roles = server.client(RoleService, acme.adminKey)
  const role = (permissions: string[]) => roles.createRole({ parent: acme.name, roleId: 'sly', role: { permissions } })
  expect(await reasonOf(role(['tenants.delete']))).toBe('GRANT_EXCEEDS_CALLER')
  expect(await reasonOf(role(['tenants.create']))).toBe('GRANT_EXCEEDS_CALLER')
  expect(await reasonOf(role(['orders.fly']))).toBe('UNKNOWN_PERMISSION')
})

test('no role of a tenant lists what the platform alone can do, though its caller holds it', async () => {
  const roles = server.client(RoleService)
  const permissions = ['orders.read', 'tenants.create']
  const make = roles.createRole({ parent: acme.name, roleId: 'of-platform', role: { permissions } })
  expect(await reasonOf(make)).toBe('INVALID_FIELD')
  const change = roles.updateRole({ role: { name: `${acme.name}/roles/order-reader`, permissions } })
  expect(await reasonOf(change)).toBe('INVALID_FIELD')
})

test('nobody makes a key that acts for somebody with more power', async () => {
  const owner = { case: 'serviceAccount' as const, value: `${acme.name}/serviceAccounts/owner-bot` }
  const keys = server.client(ApiKeyService, acme.adminKey)
  expect(await reasonOf(keys.createApiKey({ parent: acme.name, apiKey: { owner } }))).toBe('GRANT_EXCEEDS_CALLER')
  // Narrowed to what the maker holds, it is no more than the maker could do.
  expect(await reasonOf(keys.createApiKey({ parent: acme.name, apiKey: { owner, permissions: ['users.get'] } }))).toBe(
    'OK',
  )
})

test('a narrowed key cannot make itself a wide one', async () => {
  const owner = { case: 'serviceAccount' as const, value: `${acme.name}/serviceAccounts/owner-bot` }
  const wide = server.client(ApiKeyService, acme.ownerKey)
  const { secret } = await wide.createApiKey({
    parent: acme.name,
    apiKey: { owner, permissions: ['apiKeys.create'] },
  })
  const narrow = server.client(ApiKeyService, secret)
  expect(await reasonOf(narrow.createApiKey({ parent: acme.name, apiKey: { owner } }))).toBe('GRANT_EXCEEDS_CALLER')
  expect(await reasonOf(server.client(UserService, secret).listUsers({ parent: acme.name }))).toBe('PERMISSION_MISSING')
})

test('a key of one workspace has no power elsewhere', async () => {
  const users = server.client(UserService, acme.prodKey)
  expect(await reasonOf(users.listUsers({ parent: acme.name }))).toBe('NOT_FOUND')
  expect(await reasonOf(memberships(acme.prodKey).listMemberships({ parent: `${acme.name}/workspaces/test` }))).toBe(
    'NOT_FOUND',
  )
  expect(await reasonOf(memberships(acme.prodKey).listMemberships({ parent: `${acme.name}/workspaces/prod` }))).toBe(
    'OK',
  )
})

test('an administrator cannot unseat an owner', async () => {
  const name = `${acme.name}/memberships/owner-bot`
  expect(await reasonOf(memberships(acme.adminKey).deleteMembership({ name }))).toBe('GRANT_EXCEEDS_CALLER')
  const demote = memberships(acme.adminKey).updateMembership({ membership: { name, roles: ['roles/viewer'] } })
  expect(await reasonOf(demote)).toBe('GRANT_EXCEEDS_CALLER')
})

test('the last owner cannot be removed, demoted, disabled or let expire, not even by two at once', async () => {
  const small = await seedTenant(server, 'smalltown')
  const parent = small.name
  const members = memberships(server.rootKey)
  const second = { member: { case: 'user' as const, value: small.alice }, roles: ['roles/owner'] }
  await members.createMembership({ parent, membershipId: 'second', membership: second })
  const outcomes = await Promise.all([
    reasonOf(members.deleteMembership({ name: `${parent}/memberships/owner-bot` })),
    reasonOf(members.deleteMembership({ name: `${parent}/memberships/second` })),
  ])
  expect(outcomes.sort()).toEqual(['LAST_OWNER', 'OK'])
  const { memberships: left } = await members.listMemberships({ parent })
  const last = left.find(({ roles }) => roles.includes('roles/owner'))
  const name = last?.name ?? ''
  expect(await reasonOf(members.deleteMembership({ name }))).toBe('LAST_OWNER')
  expect(await reasonOf(members.updateMembership({ membership: { name, roles: ['roles/viewer'] } }))).toBe('LAST_OWNER')
  const soon = { seconds: BigInt(Math.floor(Date.now() / 1000) + 3600), nanos: 0 }
  expect(await reasonOf(members.updateMembership({ membership: { name, expireTime: soon } }))).toBe('LAST_OWNER')
  const { member } = last ?? { member: { case: undefined, value: undefined } }
  const disable =
    member.case === 'user'
      ? server.client(UserService).disableUser({ name: member.value })
      : server.client(ServiceAccountService).disableServiceAccount({ name: member.value ?? '' })
  expect(await reasonOf(disable)).toBe('LAST_OWNER')
})

test('a name that was used once is never given again', async () => {
  const users = server.client(UserService)
  const user = { issuer: 'https://idp.example', subject: 'carol' }
  await users.createUser({ parent: acme.name, userId: 'carol', user })
  await users.deleteUser({ name: `${acme.name}/users/carol` })
  expect(await reasonOf(users.createUser({ parent: acme.name, userId: 'carol', user }))).toBe('NAME_RETIRED')
  await server.client(TenantService).createTenant({ tenantId: 'ephemeral' })
  await server.client(TenantService).deleteTenant({ name: 'tenants/ephemeral' })
  expect(await reasonOf(server.client(TenantService).createTenant({ tenantId: 'ephemeral' }))).toBe('NAME_RETIRED')
})

test('a suspended tenant is refused to its own and decided as suspended, and comes back whole', async () => {
  const tenants = server.client(TenantService)
  await tenants.suspendTenant({ name: acme.name, mode: 2, reason: 'unpaid' })
  expect(await reasonOf(server.client(UserService, acme.ownerKey).listUsers({ parent: acme.name }))).toBe(
    'TENANT_SUSPENDED',
  )
  const question = {
    parent: `${acme.name}/workspaces/prod`,
    credential: { case: 'principal' as const, value: { kind: { case: 'user' as const, value: acme.alice } } },
    permission: 'orders.read',
  }
  const access = server.client(AccessService)
  expect((await access.authorize(question)).reason).toBe(DecisionReason.TENANT_SUSPENDED)
  await tenants.resumeTenant({ name: acme.name })
  expect((await access.authorize(question)).reason).toBe(DecisionReason.GRANTED)
})

test('a revoked key is dead at the next call', async () => {
  const keys = server.client(ApiKeyService, acme.ownerKey)
  const owner = { case: 'serviceAccount' as const, value: `${acme.name}/serviceAccounts/viewer-bot` }
  const { secret, apiKey } = await keys.createApiKey({ parent: acme.name, apiKey: { owner } })
  const users = server.client(UserService, secret)
  expect(await reasonOf(users.listUsers({ parent: acme.name }))).toBe('OK')
  await keys.revokeApiKey({ name: apiKey?.name ?? '' })
  expect(await reasonOf(users.listUsers({ parent: acme.name }))).toBe('CREDENTIAL_INVALID')
})

test('a repeated request id answers as the first time, but for the secret', async () => {
  const keys = server.client(ApiKeyService)
  const request = {
    parent: acme.name,
    apiKey: { owner: { case: 'serviceAccount' as const, value: `${acme.name}/serviceAccounts/viewer-bot` } },
    requestId: 'key-once',
  }
  const first = await keys.createApiKey(request)
  const second = await keys.createApiKey(request)
  expect(second).toMatchObject({ apiKey: first.apiKey, revision: first.revision, secret: '', secretWithheld: true })
  const other = keys.createApiKey({ ...request, apiKey: { ...request.apiKey, displayName: 'other' } })
  expect(await reasonOf(other)).toBe('REQUEST_ID_REUSED')
})
