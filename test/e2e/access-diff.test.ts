import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  type AccessDiff,
  AccessDiff_Change_Kind,
  AccessDiff_Warning_Code,
} from '../../src/gen/tenure/v1/access_diff_pb.ts'
import { Membership_WorkspaceReach } from '../../src/gen/tenure/v1/membership_pb.ts'
import { MembershipService } from '../../src/gen/tenure/v1/membership_service_pb.ts'
import { RoleService } from '../../src/gen/tenure/v1/role_service_pb.ts'
import { seedPermissions, seedTenant, type TenantFixture } from '../support/fixture.ts'
import { startTestServer, type TestServer } from '../support/test-server.ts'

let server: TestServer
let acme: TenantFixture

beforeAll(async () => {
  server = await startTestServer()
  await seedPermissions(server)
  acme = await seedTenant(server, 'acme')
})

afterAll(() => server[Symbol.asyncDispose]())

function linesOf(diff: AccessDiff | undefined): string[] {
  return (diff?.changes ?? []).map(
    ({ principal, workspace, permission, kind }) =>
      `${kind === AccessDiff_Change_Kind.GAINED ? 'GAINED' : 'LOST'} ${principal} ${workspace} ${permission}`,
  )
}

function codesOf(diff: AccessDiff | undefined): AccessDiff_Warning_Code[] {
  return (diff?.warnings ?? []).map(({ code }) => code)
}

test('a role that would gain and lose a permission tells who gains and loses what, where, and writes nothing', async () => {
  const roles = server.client(RoleService, acme.ownerKey)
  const role = { name: `${acme.name}/roles/order-reader`, permissions: ['orders.write'] }
  const { accessDiff } = await roles.updateRole({ role, validateOnly: true })
  const prod = `${acme.name}/workspaces/prod`
  expect(linesOf(accessDiff)).toEqual([
    `GAINED ${acme.alice} ${prod} orders.write`,
    `LOST ${acme.alice} ${prod} orders.read`,
  ])
  expect(codesOf(accessDiff)).toEqual([])
  expect((await roles.getRole({ name: role.name })).role?.permissions).toEqual(['orders.read'])
})

test('a membership that would reach everywhere tells every workspace', async () => {
  const membership = {
    member: { case: 'user' as const, value: acme.bob },
    roles: [`${acme.name}/roles/order-reader`],
    workspaceReach: Membership_WorkspaceReach.ALL,
  }
  const { accessDiff } = await server
    .client(MembershipService, acme.ownerKey)
    .createMembership({ parent: acme.name, membership, validateOnly: true })
  expect(linesOf(accessDiff)).toEqual([
    `GAINED ${acme.bob}  orders.read`,
    `GAINED ${acme.bob} ${acme.name}/workspaces/prod orders.read`,
    `GAINED ${acme.bob} ${acme.name}/workspaces/test orders.read`,
  ])
})

test('power over the power of others is warned of, and a change that changes nothing is told as such', async () => {
  const members = server.client(MembershipService, acme.ownerKey)
  const membership = { member: { case: 'user' as const, value: acme.bob }, roles: ['roles/admin'] }
  const grave = await members.createMembership({ parent: acme.name, membership, validateOnly: true })
  expect(codesOf(grave.accessDiff)).toContain(AccessDiff_Warning_Code.DANGEROUS)
  const idle = await members.updateMembership({
    membership: {
      name: `${acme.name}/workspaces/prod/memberships/alice-prod`,
      roles: [`${acme.name}/roles/order-reader`],
    },
    validateOnly: true,
  })
  expect(linesOf(idle.accessDiff)).toEqual([])
  expect(codesOf(idle.accessDiff)).toEqual([AccessDiff_Warning_Code.REDUNDANT])
})

test('a change that is made answers no diff', async () => {
  const { accessDiff } = await server
    .client(RoleService, acme.ownerKey)
    .createRole({ parent: acme.name, roleId: 'plain' })
  expect(accessDiff).toBeUndefined()
})
