import { afterAll, beforeAll, expect, test } from 'vitest'
import { AccessService } from '../../src/gen/tenure/v1/access_service_pb.ts'
import { ApiKeyService } from '../../src/gen/tenure/v1/api_key_service_pb.ts'
import { AuditService } from '../../src/gen/tenure/v1/audit_service_pb.ts'
import { Membership_WorkspaceReach } from '../../src/gen/tenure/v1/membership_pb.ts'
import { MembershipService } from '../../src/gen/tenure/v1/membership_service_pb.ts'
import { RoleService } from '../../src/gen/tenure/v1/role_service_pb.ts'
import { ServiceAccountService } from '../../src/gen/tenure/v1/service_account_service_pb.ts'
import { UserService } from '../../src/gen/tenure/v1/user_service_pb.ts'
import { seedKey, seedPermissions, seedTenant, type TenantFixture } from '../support/fixture.ts'
import { reasonOf } from '../support/reason.ts'
import { startTestServer, type TestServer } from '../support/test-server.ts'

let server: TestServer
let acme: TenantFixture

beforeAll(async () => {
  server = await startTestServer()
  await seedPermissions(server)
  acme = await seedTenant(server, 'acme')
  // A second owner, so that it is never the last-owner rule that answers.
  const membership = {
    member: { case: 'user' as const, value: acme.alice },
    roles: ['roles/owner'],
    workspaceReach: Membership_WorkspaceReach.ALL,
  }
  await server.client(MembershipService).createMembership({ parent: acme.name, membershipId: 'second', membership })
})

afterAll(() => server[Symbol.asyncDispose]())

async function platformAccount(id: string, roles: string[]): Promise<string> {
  await server.client(ServiceAccountService).createServiceAccount({ serviceAccountId: id, serviceAccount: { roles } })
  return `serviceAccounts/${id}`
}

test('an administrator cannot switch an owner off or on, remove the person, nor make a key for one who sleeps', async () => {
  const bot = `${acme.name}/serviceAccounts/owner-bot`
  const accounts = server.client(ServiceAccountService, acme.adminKey)
  const users = server.client(UserService, acme.adminKey)
  expect(await reasonOf(accounts.disableServiceAccount({ name: bot }))).toBe('GRANT_EXCEEDS_CALLER')
  expect(await reasonOf(users.disableUser({ name: acme.alice }))).toBe('GRANT_EXCEEDS_CALLER')
  expect(await reasonOf(users.deleteUser({ name: acme.alice, force: true }))).toBe('GRANT_EXCEEDS_CALLER')
  await server.client(UserService).disableUser({ name: acme.alice })
  const key = { owner: { case: 'user' as const, value: acme.alice } }
  const made = server.client(ApiKeyService, acme.adminKey).createApiKey({ parent: acme.name, apiKey: key })
  expect(await reasonOf(made)).toBe('GRANT_EXCEEDS_CALLER')
  expect(await reasonOf(users.enableUser({ name: acme.alice }))).toBe('GRANT_EXCEEDS_CALLER')
  expect(await reasonOf(server.client(UserService, acme.ownerKey).enableUser({ name: acme.alice }))).toBe('OK')
})

test('a platform account gives no template it does not hold, by any way of creating', async () => {
  const ops = await seedKey(server, '', await platformAccount('ops', ['roles/admin']))
  const accounts = server.client(ServiceAccountService, ops)
  const roles = ['roles/platform.admin']
  const create = accounts.createServiceAccount({ serviceAccountId: 'evil', serviceAccount: { roles } })
  expect(await reasonOf(create)).toBe('GRANT_EXCEEDS_CALLER')
  const serviceAccount = { name: 'serviceAccounts/evil', displayName: 'x', roles }
  const masked = accounts.updateServiceAccount({
    serviceAccount,
    allowMissing: true,
    updateMask: { paths: ['display_name'] },
  })
  expect(await reasonOf(masked)).toBe('GRANT_EXCEEDS_CALLER')
  const nonsense = { name: 'serviceAccounts/odd', roles: ['roles/nonsense'] }
  expect(await reasonOf(accounts.updateServiceAccount({ serviceAccount: nonsense, allowMissing: true }))).toBe(
    'INVALID_FIELD',
  )
})

test('a platform account touches no account, and no key, of more power than its own', async () => {
  const chief = await platformAccount('chief', ['roles/platform.admin'])
  const ops = await seedKey(server, '', await platformAccount('ops-two', ['roles/admin']))
  const accounts = server.client(ServiceAccountService, ops)
  const demote = accounts.updateServiceAccount({ serviceAccount: { name: chief, roles: ['roles/viewer'] } })
  expect(await reasonOf(demote)).toBe('GRANT_EXCEEDS_CALLER')
  expect(await reasonOf(accounts.disableServiceAccount({ name: chief }))).toBe('GRANT_EXCEEDS_CALLER')
  expect(await reasonOf(accounts.deleteServiceAccount({ name: chief, force: true }))).toBe('GRANT_EXCEEDS_CALLER')
  const keys = server.client(ApiKeyService, ops)
  const { apiKeys } = await keys.listApiKeys({ filter: 'service_account = "serviceAccounts/root"' })
  expect(apiKeys.length).toBeGreaterThan(0)
  for (const { name } of apiKeys) expect(await reasonOf(keys.revokeApiKey({ name }))).toBe('GRANT_EXCEEDS_CALLER')
})

test('an audit event names everything that was granted, also in a batch', async () => {
  const parent = `${acme.name}/workspaces/test`
  const grant = (value: string, role: string) => ({
    membership: { member: { case: 'user' as const, value }, roles: [role] },
  })
  const requests = [grant(acme.bob, 'roles/owner'), grant(acme.alice, 'roles/viewer')]
  await server.client(MembershipService).batchCreateMemberships({ parent, requests })
  const filter = 'chain = "authority" AND event = "memberships.create"'
  const { auditEvents } = await server.client(AuditService).listAuditEvents({ parent: acme.name, pageSize: 1, filter })
  expect(auditEvents[0]?.details).toEqual({ granted: [`${acme.bob}: roles/owner`, `${acme.alice}: roles/viewer`] })
})

test('what an item of a batch is refused is kept like the refusal of a call', async () => {
  const prober = await seedTenant(server, 'prober')
  const question = (parent: string) => ({
    parent,
    permission: 'orders.read',
    credential: {
      case: 'principal' as const,
      value: { kind: { case: 'identity' as const, value: { issuer: 'a', subject: 'b' } } },
    },
  })
  const items = ['tenants/acme', 'tenants/never-was'].map((parent) => ({ request: question(parent) }))
  await server.client(AccessService, prober.ownerKey).batchAuthorize({ items })
  const { auditEvents } = await server.client(AuditService).listAuditEvents({ parent: prober.name, pageSize: 1000 })
  const refused = auditEvents.filter(({ reason }) => reason === 'NOT_FOUND').map(({ target }) => target)
  expect(refused.sort()).toEqual(['tenants/acme', 'tenants/never-was'])
})

test('tenants learn nothing of the platform’s own template', async () => {
  const roles = server.client(RoleService, acme.ownerKey)
  expect((await roles.listRoles({})).roles.map(({ name }) => name)).not.toContain('roles/platform.admin')
  expect(await reasonOf(roles.getRole({ name: 'roles/platform.admin' }))).toBe('NOT_FOUND')
  expect((await server.client(RoleService).listRoles({})).roles.map(({ name }) => name)).toContain(
    'roles/platform.admin',
  )
})

test('a product cannot take a permission of a noun that is Tenure’s own', async () => {
  const roles = server.client(RoleService)
  for (const permissionId of ['tenants.fly', 'secrets.rotate', 'workspaces.fly']) {
    expect(await reasonOf(roles.createPermission({ permissionId }))).toBe('SYSTEM_RESOURCE')
  }
})
