import { afterAll, beforeAll, expect, test } from 'vitest'
import { AccessService, DecisionReason } from '../../src/gen/tenure/v1/access_service_pb.ts'
import { ApiKeyService } from '../../src/gen/tenure/v1/api_key_service_pb.ts'
import { Membership_WorkspaceReach } from '../../src/gen/tenure/v1/membership_pb.ts'
import { MembershipService } from '../../src/gen/tenure/v1/membership_service_pb.ts'
import { RoleService } from '../../src/gen/tenure/v1/role_service_pb.ts'
import { Tenant_State } from '../../src/gen/tenure/v1/tenant_pb.ts'
import { TenantService } from '../../src/gen/tenure/v1/tenant_service_pb.ts'
import { UserService } from '../../src/gen/tenure/v1/user_service_pb.ts'
import { Workspace_State } from '../../src/gen/tenure/v1/workspace_pb.ts'
import { WorkspaceService } from '../../src/gen/tenure/v1/workspace_service_pb.ts'
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

test('an etag that is not the newest refuses the write', async () => {
  const workspaces = server.client(WorkspaceService)
  const name = `${acme.name}/workspaces/prod`
  const { workspace: first } = await workspaces.getWorkspace({ name })
  const etag = first?.etag ?? ''
  const { workspace: second } = await workspaces.updateWorkspace({
    workspace: { name, etag, displayName: 'Production' },
  })
  expect(second?.etag).not.toBe(etag)
  expect(await reasonOf(workspaces.updateWorkspace({ workspace: { name, etag, displayName: 'Old' } }))).toBe(
    'ETAG_MISMATCH',
  )
  expect(await reasonOf(workspaces.archiveWorkspace({ name, etag }))).toBe('ETAG_MISMATCH')
})

test('an update changes what the mask names and nothing else', async () => {
  const users = server.client(UserService)
  const name = acme.alice
  const user = { name, email: 'new@acme.example', displayName: 'Alice' }
  const masked = await users.updateUser({ user, updateMask: { paths: ['display_name'] } })
  expect(masked.user).toMatchObject({ displayName: 'Alice', email: 'alice@acme.example' })
  const unmasked = await users.updateUser({ user: { name, email: 'new@acme.example' } })
  expect(unmasked.user).toMatchObject({ displayName: 'Alice', email: 'new@acme.example' })
  const all = await users.updateUser({ user: { name, email: 'all@acme.example' }, updateMask: { paths: ['*'] } })
  expect(all.user).toMatchObject({ displayName: '', email: 'all@acme.example' })
  const subject = users.updateUser({ user: { name, subject: 'mallory' }, updateMask: { paths: ['subject'] } })
  expect(await reasonOf(subject)).toBe('INVALID_UPDATE_MASK')
})

test('plan and tier are the platform’s to change, not the tenant’s', async () => {
  const tenant = { name: acme.name, tier: 'enterprise' }
  const own = server.client(TenantService, acme.ownerKey).updateTenant({ tenant, updateMask: { paths: ['tier'] } })
  expect(await reasonOf(own)).toBe('INVALID_UPDATE_MASK')
  const silently = await server.client(TenantService, acme.ownerKey).updateTenant({ tenant })
  expect(silently.tenant?.tier).toBe('standard')
  const platform = await server.client(TenantService).updateTenant({ tenant })
  expect(platform.tenant?.tier).toBe('enterprise')
  const { workspace } = await server.client(WorkspaceService).getWorkspace({ name: `${acme.name}/workspaces/prod` })
  expect(workspace?.tier).toBe('enterprise')
})

test('allow_missing creates what is not there, for those who may create', async () => {
  const users = server.client(UserService, acme.adminKey)
  const user = { name: `${acme.name}/users/dora`, issuer: 'https://idp.example', subject: 'dora' }
  expect(await reasonOf(users.updateUser({ user }))).toBe('NOT_FOUND')
  expect((await users.updateUser({ user, allowMissing: true })).user?.subject).toBe('dora')
  const viewer = server.client(UserService, acme.viewerKey)
  expect(await reasonOf(viewer.updateUser({ user, allowMissing: true }))).toBe('PERMISSION_MISSING')
})

test('validate_only answers as if done and writes nothing', async () => {
  const workspaces = server.client(WorkspaceService)
  const request = { parent: acme.name, workspaceId: 'maybe', validateOnly: true }
  expect((await workspaces.createWorkspace(request)).workspace?.name).toBe(`${acme.name}/workspaces/maybe`)
  expect(await reasonOf(workspaces.getWorkspace({ name: `${acme.name}/workspaces/maybe` }))).toBe('NOT_FOUND')
  expect(await reasonOf(server.client(TenantService).createTenant({ tenantId: 'perhaps', validateOnly: true }))).toBe(
    'OK',
  )
  expect(await reasonOf(server.client(TenantService).getTenant({ name: 'tenants/perhaps' }))).toBe('NOT_FOUND')
})

test('pages have every row once, in order, whatever is written meanwhile', async () => {
  const users = server.client(UserService)
  const parent = (await seedTenant(server, 'paging')).name
  const make = (index: number) =>
    users.createUser({
      parent,
      userId: `p-${String(index).padStart(3, '0')}`,
      user: { issuer: 'https://idp.example', subject: `p${index}`, email: `${index % 3}@example.com` },
    })
  for (let index = 0; index < 25; index += 1) await make(index)
  const seen: string[] = []
  let pageToken = ''
  do {
    const page = await users.listUsers({
      parent,
      pageSize: 4,
      pageToken,
      orderBy: 'email desc, name',
      filter:
        'email = "*@example.com" OR email = "1@example.com" OR email = "0@example.com" OR email = "2@example.com"',
    })
    seen.push(...page.users.map(({ name, email }) => `${email} ${name}`))
    pageToken = page.nextPageToken
    if (seen.length === 8)
      await users.createUser({
        parent,
        userId: 'zz-late',
        user: { issuer: 'https://idp.example', subject: 'late', email: 'late@x' },
      })
  } while (pageToken !== '')
  expect(seen).toHaveLength(25)
  expect(new Set(seen).size).toBe(25)
  const emails = seen.map((line) => line.split(' ')[0])
  expect(emails).toEqual([...emails].sort().reverse())
})

test('a page token is good for its own caller and its own query alone', async () => {
  const parent = 'tenants/paging'
  const { nextPageToken: pageToken } = await server.client(UserService).listUsers({ parent, pageSize: 2 })
  const users = server.client(UserService)
  expect(await reasonOf(users.listUsers({ parent, pageSize: 5, pageToken }))).toBe('OK')
  expect(await reasonOf(users.listUsers({ parent, filter: 'state = "ACTIVE"', pageToken }))).toBe('INVALID_PAGE_TOKEN')
  expect(await reasonOf(users.listUsers({ parent: acme.name, pageToken }))).toBe('INVALID_PAGE_TOKEN')
  expect(await reasonOf(users.listUsers({ parent, pageToken: `${pageToken.slice(0, -2)}AA` }))).toBe(
    'INVALID_PAGE_TOKEN',
  )
  const workspaces = server.client(WorkspaceService)
  expect(await reasonOf(workspaces.listWorkspaces({ parent, pageToken }))).toBe('INVALID_PAGE_TOKEN')
})

test('filters compare by field, join and negate, and refuse what they do not know', async () => {
  const users = server.client(UserService)
  const parent = 'tenants/paging'
  const count = async (filter: string) => (await users.listUsers({ parent, filter, pageSize: 1000 })).users.length
  expect(await count('email = "1@*"')).toBe(8)
  expect(await count('email = "1@example.com" AND NOT subject = "p1"')).toBe(7)
  expect(await count('subject = "p1" OR subject = "p2"')).toBe(2)
  expect(await count('create_time > "2020-01-01T00:00:00Z"')).toBe(28)
  expect(await count('subject = "P1"')).toBe(0)
  for (const filter of [
    'issuer > "a"',
    'nothing = "x"',
    '(state = "ACTIVE"',
    'state = "FLYING"',
    'create_time > "soon"',
    '= "x"',
  ]) {
    expect([filter, await reasonOf(users.listUsers({ parent, filter }))]).toEqual([filter, 'INVALID_FILTER'])
  }
  expect(await reasonOf(users.listUsers({ parent, orderBy: 'subject' }))).toBe('INVALID_ORDER_BY')
})

test('a deleted workspace is out of lists and decisions, and comes back as it was', async () => {
  const workspaces = server.client(WorkspaceService)
  const name = `${acme.name}/workspaces/prod`
  const ask = () =>
    server.client(AccessService).authorize({
      parent: name,
      credential: { case: 'principal', value: { kind: { case: 'user', value: acme.alice } } },
      permission: 'orders.read',
    })
  expect((await ask()).reason).toBe(DecisionReason.GRANTED)
  const { workspace } = await workspaces.deleteWorkspace({ name })
  expect(workspace?.state).toBe(Workspace_State.DELETED)
  expect(workspace?.purgeTime).toBeDefined()
  expect((await ask()).reason).toBe(DecisionReason.NO_ACCESS)
  const listed = await workspaces.listWorkspaces({ parent: acme.name })
  expect(listed.workspaces.map(({ name: each }) => each)).not.toContain(name)
  const all = await workspaces.listWorkspaces({ parent: acme.name, showDeleted: true })
  expect(all.workspaces.map(({ name: each }) => each)).toContain(name)
  const members = server.client(MembershipService).listMemberships({ parent: name })
  expect(await reasonOf(members)).toBe('NOT_FOUND')
  expect(await reasonOf(server.client(WorkspaceService, acme.adminKey).undeleteWorkspace({ name }))).toBe('OK')
  expect((await ask()).reason).toBe(DecisionReason.GRANTED)
})

test('an archived workspace is decided as archived, can be looked at and not be written to', async () => {
  const name = `${acme.name}/workspaces/test`
  const workspaces = server.client(WorkspaceService, acme.ownerKey)
  await workspaces.archiveWorkspace({ name })
  expect(await reasonOf(workspaces.archiveWorkspace({ name }))).toBe('INVALID_STATE')
  const members = server.client(MembershipService, acme.ownerKey)
  expect(await reasonOf(members.listMemberships({ parent: name }))).toBe('OK')
  const membership = { member: { case: 'user' as const, value: acme.bob }, roles: ['roles/viewer'] }
  expect(await reasonOf(members.createMembership({ parent: name, membership }))).toBe('WORKSPACE_ARCHIVED')
  await workspaces.unarchiveWorkspace({ name })
  expect(await reasonOf(members.createMembership({ parent: name, membership }))).toBe('OK')
})

test('a deleted tenant is gone for its own and kept for the platform until it is brought back', async () => {
  const tenants = server.client(TenantService)
  const fleeting = await seedTenant(server, 'fleeting')
  expect(await reasonOf(tenants.deleteTenant({ name: fleeting.name }))).toBe('RESOURCE_IN_USE')
  await tenants.deleteTenant({ name: fleeting.name, force: true })
  expect(await reasonOf(server.client(TenantService, fleeting.ownerKey).getTenant({ name: fleeting.name }))).toBe(
    'CREDENTIAL_INVALID',
  )
  expect((await tenants.getTenant({ name: fleeting.name })).tenant?.state).toBe(Tenant_State.DELETED)
  const listed = await tenants.listTenants({ pageSize: 1000 })
  expect(listed.tenants.map(({ name }) => name)).not.toContain(fleeting.name)
  const late = server.client(WorkspaceService).createWorkspace({ parent: fleeting.name, workspaceId: 'late' })
  expect(await reasonOf(late)).toBe('INVALID_STATE')
  expect((await tenants.undeleteTenant({ name: fleeting.name })).tenant?.state).toBe(Tenant_State.ACTIVE)
  expect(await reasonOf(server.client(TenantService, fleeting.ownerKey).getTenant({ name: fleeting.name }))).toBe('OK')
})

test('a role in use goes only with force, and takes its power along', async () => {
  const roles = server.client(RoleService, acme.ownerKey)
  const name = `${acme.name}/roles/order-reader`
  expect(await reasonOf(roles.deleteRole({ name }))).toBe('RESOURCE_IN_USE')
  expect(await reasonOf(roles.deleteRole({ name, force: true }))).toBe('OK')
  const { reason } = await server.client(AccessService).authorize({
    parent: `${acme.name}/workspaces/prod`,
    credential: { case: 'principal', value: { kind: { case: 'user', value: acme.alice } } },
    permission: 'orders.read',
  })
  expect(reason).toBe(DecisionReason.PERMISSION_MISSING)
  expect(await reasonOf(server.client(RoleService).deleteRole({ name: 'roles/owner' }))).toBe('SYSTEM_RESOURCE')
})

test('a tenant membership alone gives no workspace, one that reaches all gives every one', async () => {
  const members = server.client(MembershipService)
  const name = `${acme.name}/memberships/bob`
  const member = { case: 'user' as const, value: acme.bob }
  await members.createMembership({
    parent: acme.name,
    membershipId: 'bob',
    membership: { member, roles: ['roles/member'] },
  })
  const ask = async () => {
    const { reason } = await server.client(AccessService).authorize({
      parent: `${acme.name}/workspaces/prod`,
      credential: { case: 'principal', value: { kind: { case: 'user', value: acme.bob } } },
      permission: 'orders.write',
    })
    return reason
  }
  expect(await ask()).toBe(DecisionReason.NO_ACCESS)
  await members.updateMembership({ membership: { name, workspaceReach: Membership_WorkspaceReach.ALL } })
  expect(await ask()).toBe(DecisionReason.GRANTED)
})

test('a user with memberships or keys goes only with force', async () => {
  const users = server.client(UserService)
  expect(await reasonOf(users.deleteUser({ name: acme.bob }))).toBe('RESOURCE_IN_USE')
  const { secret } = await server
    .client(ApiKeyService)
    .createApiKey({ parent: acme.name, apiKey: { owner: { case: 'user', value: acme.bob } } })
  expect(await reasonOf(users.deleteUser({ name: acme.bob, force: true }))).toBe('OK')
  expect(await reasonOf(server.client(UserService, secret).listUsers({ parent: acme.name }))).toBe('CREDENTIAL_INVALID')
})

test('a membership that went with its user leaves its name retired, in every workspace', async () => {
  const parent = `${acme.name}/workspaces/prod`
  const user = { issuer: 'https://idp.example', subject: 'erin' }
  await server.client(UserService).createUser({ parent: acme.name, userId: 'erin', user })
  const membership = { member: { case: 'user' as const, value: `${acme.name}/users/erin` }, roles: ['roles/viewer'] }
  await server.client(MembershipService).createMembership({ parent, membershipId: 'mem-erin', membership })
  await server.client(UserService).deleteUser({ name: `${acme.name}/users/erin`, force: true })
  const other = { member: { case: 'user' as const, value: acme.alice }, roles: ['roles/viewer'] }
  const again = server
    .client(MembershipService)
    .createMembership({ parent, membershipId: 'mem-erin', membership: other })
  expect(await reasonOf(again)).toBe('NAME_RETIRED')
})

test('a field that breaks its rule is told in words', async () => {
  const failure = await server
    .client(TenantService)
    .createTenant({ tenantId: 'A' })
    .catch((error: unknown) => String(error))
  expect(failure).toContain('tenant_id: must be 3 to 63 of a-z 0-9 -, a letter first, no trailing -')
})

test('an owner of a workspace alone is no owner of the tenant, and can be taken out', async () => {
  await server.client(TenantService).createTenant({ tenantId: 'ownerless' })
  const parent = 'tenants/ownerless'
  await server.client(WorkspaceService).createWorkspace({ parent, workspaceId: 'prod' })
  const user = { issuer: 'https://idp.example', subject: 'ann' }
  await server.client(UserService).createUser({ parent, userId: 'ann', user })
  const membership = { member: { case: 'user' as const, value: `${parent}/users/ann` }, roles: ['roles/owner'] }
  const members = server.client(MembershipService)
  await members.createMembership({ parent: `${parent}/workspaces/prod`, membershipId: 'ann', membership })
  expect(await reasonOf(members.deleteMembership({ name: `${parent}/workspaces/prod/memberships/ann` }))).toBe('OK')
})
