import type { DescService } from '@bufbuild/protobuf'
import { ConnectError } from '@connectrpc/connect'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ApiKeyService } from '../../src/gen/tenure/v1/api_key_service_pb.ts'
import { DiagnosticsService } from '../../src/gen/tenure/v1/diagnostics_service_pb.ts'
import { RoleService } from '../../src/gen/tenure/v1/role_service_pb.ts'
import { ServiceAccountService } from '../../src/gen/tenure/v1/service_account_service_pb.ts'
import { TenantService } from '../../src/gen/tenure/v1/tenant_service_pb.ts'
import { WorkspaceService } from '../../src/gen/tenure/v1/workspace_service_pb.ts'
import { seedPermissions, seedTenant, type TenantFixture } from '../support/fixture.ts'
import { startTestServer, type TestServer } from '../support/test-server.ts'

// Who is refused for want of a permission is told whom to ask: somebody who can give it.

let tenure: TestServer
let acme: TenantFixture
let weakKey: string

beforeAll(async () => {
  tenure = await startTestServer()
  await seedPermissions(tenure)
  acme = await seedTenant(tenure, 'acme')
  await seedTenant(tenure, 'globex')
  const serviceAccount = { roles: ['roles/viewer'] }
  await tenure.client(ServiceAccountService).createServiceAccount({ serviceAccountId: 'weak', serviceAccount })
  const owner = { case: 'serviceAccount' as const, value: 'serviceAccounts/weak' }
  weakKey = (await tenure.client(ApiKeyService).createApiKey({ apiKey: { owner } })).secret
})
afterAll(() => tenure?.[Symbol.asyncDispose]())

type Asked<S extends DescService> = (client: ReturnType<typeof tenure.client<S>>) => Promise<unknown>

async function refusalOf<S extends DescService>(service: S, key: string, ask: Asked<S>): Promise<string> {
  const error = await ask(tenure.client(service, key)).then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  return error instanceof ConnectError ? error.rawMessage : 'it was answered'
}

const ofTenant = /^This needs the permission \S+\. Ask an owner of the tenant /
const ofPlatform = /^This needs the permission \S+ of the platform, .*Ask the operator of this platform /

test('of a permission that a tenant can grant, the owner of the tenant is named', async () => {
  const parent = acme.name
  expect(
    await refusalOf(WorkspaceService, acme.viewerKey, (client) =>
      client.createWorkspace({ parent, workspaceId: 'more' }),
    ),
  ).toMatch(ofTenant)
})

test('of a permission that no tenant can grant the operator of the platform is named, to owners and to accounts of the platform', async () => {
  for (const key of [acme.ownerKey, weakKey]) {
    expect(await refusalOf(DiagnosticsService, key, (client) => client.getServerInfo({}))).toMatch(ofPlatform)
    expect(await refusalOf(TenantService, key, (client) => client.purgeTenant({ name: acme.name }))).toMatch(ofPlatform)
    expect(await refusalOf(TenantService, key, (client) => client.createTenant({ tenantId: 'more' }))).toMatch(
      ofPlatform,
    )
  }
  const permission = { permissionId: 'orders.more', permission: {} }
  expect(await refusalOf(RoleService, acme.ownerKey, (client) => client.createPermission(permission))).toMatch(
    ofPlatform,
  )
})

test('the text does not tell a tenant of somebody else from one that does not exist', async () => {
  for (const key of [acme.ownerKey, weakKey]) {
    const said = ['tenants/globex', 'tenants/nobody'].map((name) =>
      refusalOf(TenantService, key, (client) => client.purgeTenant({ name })),
    )
    const [foreign, unknown] = await Promise.all(said)
    expect(foreign).toBe(unknown)
  }
})
