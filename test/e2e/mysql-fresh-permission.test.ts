import { expect, test } from 'vitest'
import { ApiKeyService } from '../../src/gen/tenure/v1/api_key_service_pb.ts'
import { RoleService } from '../../src/gen/tenure/v1/role_service_pb.ts'
import { ServiceAccountService } from '../../src/gen/tenure/v1/service_account_service_pb.ts'
import { TenantService } from '../../src/gen/tenure/v1/tenant_service_pb.ts'
import { reasonOf } from '../support/reason.ts'
import { startTestServer } from '../support/test-server.ts'

test('a permission that was made on one server can be given on another at once', async () => {
  await using one = await startTestServer()
  await using two = await startTestServer({ folder: one.folder, env: { TENURE_REPLICA: 'replica-2' } })
  const parent = 'tenants/acme'
  await one.client(TenantService).createTenant({ tenantId: 'acme' })
  await one.client(ServiceAccountService).createServiceAccount({ parent, serviceAccountId: 'bot' })
  const make = async (permissionId: string): Promise<string[]> => {
    await one.client(RoleService).createPermission({ permissionId })
    return [permissionId]
  }
  const outcomes: string[] = []
  for (let round = 0; round < 5; round += 1) {
    const roles = two.client(RoleService)
    const role = { permissions: await make(`orders${round}.read`) }
    outcomes.push(await reasonOf(roles.createRole({ parent, roleId: `reader-${round}`, role })))
    const changed = { name: `${parent}/roles/reader-${round}`, permissions: await make(`orders${round}.write`) }
    outcomes.push(await reasonOf(roles.updateRole({ role: changed })))
    const owner = { case: 'serviceAccount' as const, value: `${parent}/serviceAccounts/bot` }
    const apiKey = { owner, permissions: await make(`orders${round}.delete`) }
    outcomes.push(await reasonOf(two.client(ApiKeyService).createApiKey({ parent, apiKey })))
  }
  expect(new Set(outcomes)).toEqual(new Set(['OK']))
  const role = { permissions: ['orders.never'] }
  expect(await reasonOf(two.client(RoleService).createRole({ parent, roleId: 'none', role }))).toBe(
    'UNKNOWN_PERMISSION',
  )
})
