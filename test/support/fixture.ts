import { ApiKeyService } from '../../src/gen/tenure/v1/api_key_service_pb.ts'
import { Membership_WorkspaceReach } from '../../src/gen/tenure/v1/membership_pb.ts'
import { MembershipService } from '../../src/gen/tenure/v1/membership_service_pb.ts'
import { RoleService } from '../../src/gen/tenure/v1/role_service_pb.ts'
import { SecretService } from '../../src/gen/tenure/v1/secret_service_pb.ts'
import { ServiceAccountService } from '../../src/gen/tenure/v1/service_account_service_pb.ts'
import { TenantService } from '../../src/gen/tenure/v1/tenant_service_pb.ts'
import { UserService } from '../../src/gen/tenure/v1/user_service_pb.ts'
import { WorkspaceService } from '../../src/gen/tenure/v1/workspace_service_pb.ts'
import type { TestServer } from './test-server.ts'

/** A tenant with two workspaces, people, roles and keys: the same shape in every test that needs one. */
export interface TenantFixture {
  readonly name: string
  readonly slug: string
  readonly uid: string
  /** Key of a service account that owns the tenant and every workspace. */
  readonly ownerKey: string
  /** Key of a service account with roles/admin, without tenants.delete. */
  readonly adminKey: string
  /** Key of a service account with roles/viewer at the tenant only. */
  readonly viewerKey: string
  /** Key of the owner that is good in workspace prod alone. */
  readonly prodKey: string
  readonly alice: string
  readonly bob: string
}

export async function seedPermissions(test: TestServer): Promise<void> {
  const roles = test.client(RoleService)
  await roles.createPermission({ permissionId: 'orders.read', permission: { effect: 1 } })
  await roles.createPermission({ permissionId: 'orders.write' })
}

export async function seedTenant(test: TestServer, slug: string): Promise<TenantFixture> {
  const name = `tenants/${slug}`
  const { tenant } = await test.client(TenantService).createTenant({ tenantId: slug })
  for (const workspaceId of ['prod', 'test']) {
    await test.client(WorkspaceService).createWorkspace({ parent: name, workspaceId })
  }
  for (const userId of ['alice', 'bob']) {
    const user = { issuer: 'https://idp.example', subject: `${userId}@${slug}`, email: `${userId}@${slug}.example` }
    await test.client(UserService).createUser({ parent: name, userId, user })
  }
  await test.client(RoleService).createRole({
    parent: name,
    roleId: 'order-reader',
    role: { permissions: ['orders.read'] },
  })
  await test.client(MembershipService).createMembership({
    parent: `${name}/workspaces/prod`,
    membershipId: 'alice-prod',
    membership: { member: { case: 'user', value: `${name}/users/alice` }, roles: [`${name}/roles/order-reader`] },
  })
  await seedSecret(test, `${name}/workspaces/prod`, 'database')
  const { ALL, NONE } = Membership_WorkspaceReach
  return {
    name,
    slug,
    uid: tenant?.uid ?? '',
    ownerKey: await seedAccount(test, name, 'owner-bot', 'roles/owner', ALL),
    adminKey: await seedAccount(test, name, 'admin-bot', 'roles/admin', ALL),
    viewerKey: await seedAccount(test, name, 'viewer-bot', 'roles/viewer', NONE),
    prodKey: await seedKey(test, `${name}/workspaces/prod`, `${name}/serviceAccounts/owner-bot`),
    alice: `${name}/users/alice`,
    bob: `${name}/users/bob`,
  }
}

export async function seedSecret(test: TestServer, parent: string, secretId: string): Promise<void> {
  const { secret } = await test.client(SecretService).createSecret({ parent, secretId })
  const payload = Buffer.from(`of ${parent}`)
  await test.client(SecretService).addSecretVersion({ parent: secret?.name ?? '', payload })
}

export async function seedAccount(
  test: TestServer,
  tenant: string,
  id: string,
  role: string,
  workspaceReach: Membership_WorkspaceReach,
): Promise<string> {
  const account = `${tenant}/serviceAccounts/${id}`
  await test.client(ServiceAccountService).createServiceAccount({ parent: tenant, serviceAccountId: id })
  await test.client(MembershipService).createMembership({
    parent: tenant,
    membershipId: id,
    membership: { member: { case: 'serviceAccount', value: account }, roles: [role], workspaceReach },
  })
  return seedKey(test, tenant, account)
}

export async function seedKey(test: TestServer, parent: string, owner: string): Promise<string> {
  const { secret } = await test
    .client(ApiKeyService)
    .createApiKey({ parent, apiKey: { owner: { case: 'serviceAccount', value: owner } } })
  return secret
}
