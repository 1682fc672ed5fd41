import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ApiKeyService } from '../../src/gen/tenure/v1/api_key_service_pb.ts'
import { MembershipService } from '../../src/gen/tenure/v1/membership_service_pb.ts'
import { RoleService } from '../../src/gen/tenure/v1/role_service_pb.ts'
import { ServiceAccountService } from '../../src/gen/tenure/v1/service_account_service_pb.ts'
import { TenantService } from '../../src/gen/tenure/v1/tenant_service_pb.ts'
import { WorkspaceService } from '../../src/gen/tenure/v1/workspace_service_pb.ts'
import { seedKey, seedPermissions, seedTenant, type TenantFixture } from '../support/fixture.ts'
import { holdWriters } from '../support/hold-writers.ts'
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

type Calls = readonly (() => Promise<unknown>)[]

/** Makes the calls so that all of them are admitted before the first one commits, and then have their turn in this order. */
async function inOneQueue({ directory, tenant }: { directory: Calls; tenant: Calls }): Promise<string[]> {
  const held = await holdWriters(server)
  const make = async (calls: Calls) => {
    const outcomes: Promise<string>[] = []
    for (const call of calls) {
      outcomes.push(reasonOf(call()))
      await sleep(100)
    }
    return outcomes
  }
  const outcomes = { directory: await make(directory), tenant: await make(tenant) }
  await held.releaseDirectory()
  const first = await Promise.all(outcomes.directory)
  await held.releaseTenants()
  return [...first, ...(await Promise.all(outcomes.tenant))]
}

function platformKey(id: string) {
  return server.client(ServiceAccountService).createServiceAccount({
    serviceAccountId: id,
    serviceAccount: { roles: ['roles/platform.admin'] },
  })
}

test('a write that waited behind the revocation of its platform key is refused, on the platform and in a tenant', async () => {
  await platformKey('late')
  const owner = { case: 'serviceAccount' as const, value: 'serviceAccounts/late' }
  const { secret, apiKey } = await server.client(ApiKeyService).createApiKey({ apiKey: { owner } })
  await server.client(TenantService, secret).getTenant({ name: acme.name })
  const outcomes = await inOneQueue({
    directory: [
      () => server.client(ApiKeyService).revokeApiKey({ name: apiKey?.name ?? '' }),
      () => server.client(RoleService, secret).createPermission({ permissionId: 'late.write' }),
    ],
    tenant: [
      () => server.client(WorkspaceService, secret).createWorkspace({ parent: acme.name, workspaceId: 'late-one' }),
    ],
  })
  expect(outcomes).toEqual(['OK', 'PERMISSION_MISSING', 'PERMISSION_MISSING'])
})

test('a write that waited behind the revocation of its tenant key is refused', async () => {
  const key = await seedKey(server, acme.name, `${acme.name}/serviceAccounts/admin-bot`)
  const { apiKeys } = await server.client(ApiKeyService).listApiKeys({ parent: acme.name, orderBy: 'create_time desc' })
  const outcomes = await inOneQueue({
    directory: [],
    tenant: [
      () => server.client(ApiKeyService).revokeApiKey({ name: apiKeys[0]?.name ?? '' }),
      () => server.client(RoleService, key).createRole({ parent: acme.name, roleId: 'late-role' }),
    ],
  })
  expect(outcomes).toEqual(['OK', 'NOT_FOUND'])
})

test('what allow_missing needs is asked under the lock, too', async () => {
  const parent = acme.name
  const account = `${parent}/serviceAccounts/smith`
  const permissions = ['roles.update', 'roles.create']
  await server.client(RoleService).createRole({ parent, roleId: 'role-smith', role: { permissions } })
  await server.client(ServiceAccountService).createServiceAccount({ parent, serviceAccountId: 'smith' })
  const membership = {
    member: { case: 'serviceAccount' as const, value: account },
    roles: [`${parent}/roles/role-smith`],
  }
  await server.client(MembershipService).createMembership({ parent, membership })
  const key = await seedKey(server, parent, account)
  const lesser = { name: `${parent}/roles/role-smith`, permissions: ['roles.update'] }
  const sneaky = { name: `${parent}/roles/sneaky`, displayName: 'x' }
  const outcomes = await inOneQueue({
    directory: [],
    tenant: [
      () => server.client(RoleService, acme.ownerKey).updateRole({ role: lesser }),
      () => server.client(RoleService, key).updateRole({ role: sneaky, allowMissing: true }),
    ],
  })
  expect(outcomes).toEqual(['OK', 'PERMISSION_MISSING'])
})
