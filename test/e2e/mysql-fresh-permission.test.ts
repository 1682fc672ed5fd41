import { expect, test } from 'vitest'
import { AccessService } from '../../src/gen/tenure/v1/access_service_pb.ts'
import { ApiKeyService } from '../../src/gen/tenure/v1/api_key_service_pb.ts'
import { MembershipService } from '../../src/gen/tenure/v1/membership_service_pb.ts'
import { RoleService } from '../../src/gen/tenure/v1/role_service_pb.ts'
import { ServiceAccountService } from '../../src/gen/tenure/v1/service_account_service_pb.ts'
import { TenantService } from '../../src/gen/tenure/v1/tenant_service_pb.ts'
import { TokenService } from '../../src/gen/tenure/v1/token_service_pb.ts'
import { reasonOf } from '../support/reason.ts'
import { startTestServer } from '../support/test-server.ts'

test('a permission that was made on one server can be given on another at once', async () => {
  await using one = await startTestServer()
  await using two = await startTestServer({ folder: one.folder, env: { TENURE_REPLICA: 'replica-2' } })
  const parent = 'tenants/acme'
  await one.client(TenantService).createTenant({ tenantId: 'acme' })
  await one.client(ServiceAccountService).createServiceAccount({ parent, serviceAccountId: 'bot' })
  const member = { case: 'serviceAccount' as const, value: `${parent}/serviceAccounts/bot` }
  const membership = { member, roles: ['roles/viewer'] }
  const { revision } = await one.client(MembershipService).createMembership({ parent, membership })
  await two.client(AccessService).authorize({
    ...{ parent, permission: 'tenants.get', atLeastRevision: revision },
    credential: { case: 'principal', value: { kind: member } },
  })
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
    const apiKey = { owner: member, permissions: await make(`orders${round}.delete`) }
    outcomes.push(await reasonOf(two.client(ApiKeyService).createApiKey({ parent, apiKey })))
    const permissions = await make(`orders${round}.list`)
    outcomes.push(
      await reasonOf(two.client(TokenService).issueToken({ parent, principal: { kind: member }, permissions })),
    )
  }
  expect(new Set(outcomes)).toEqual(new Set(['OK']))
  const role = { permissions: ['orders.never'] }
  expect(await reasonOf(two.client(RoleService).createRole({ parent, roleId: 'none', role }))).toBe(
    'UNKNOWN_PERMISSION',
  )
})
