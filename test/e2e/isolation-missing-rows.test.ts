import { afterAll, beforeAll, expect, test } from 'vitest'
import { Operations } from '../../src/gen/google/longrunning/operations_pb.ts'
import { Membership_WorkspaceReach } from '../../src/gen/tenure/v1/membership_pb.ts'
import { MembershipService } from '../../src/gen/tenure/v1/membership_service_pb.ts'
import { RoleService } from '../../src/gen/tenure/v1/role_service_pb.ts'
import { SecretService } from '../../src/gen/tenure/v1/secret_service_pb.ts'
import { ServiceAccountService } from '../../src/gen/tenure/v1/service_account_service_pb.ts'
import { TenantService } from '../../src/gen/tenure/v1/tenant_service_pb.ts'
import { UserService } from '../../src/gen/tenure/v1/user_service_pb.ts'
import { WorkspaceService } from '../../src/gen/tenure/v1/workspace_service_pb.ts'
import { seedAccount, seedPermissions, seedSecret, seedTenant, type TenantFixture } from '../support/fixture.ts'
import { insertCopy, oneRow } from '../support/forgery.ts'
import { lookAtIsolation } from '../support/look-at-isolation.ts'
import { ended } from '../support/operation.ts'
import { openSideDoor, type SideDoor } from '../support/side-door.ts'
import { startTestServer, type TestServer } from '../support/test-server.ts'

let server: TestServer
let rows: SideDoor
let acme: TenantFixture

beforeAll(async () => {
  server = await startTestServer()
  rows = await openSideDoor(server.databaseUrl)
  await seedPermissions(server)
  acme = await seedTenant(server, 'acme')
  expect(await lookAtIsolation(server)).toEqual({})
})

afterAll(async () => {
  await rows[Symbol.asyncDispose]()
  await server[Symbol.asyncDispose]()
})

/** Deletes a row of acme by hand. Answers how to put it back as it was. */
async function takeAway(table: string, id: string): Promise<() => Promise<void>> {
  const where = `tenant_id = ? AND ${idColumnOf(table)} = ?`
  const row = await oneRow({ rows }, table, where, acme.uid, id)
  await rows.run(`DELETE FROM ${table} WHERE ${where}`, [acme.uid, id])
  return () => insertCopy({ rows }, table, row, {})
}

const idColumnOf = (table: string) => `${table.replace(/s$/, '')}_id`

test.each(['memberships', 'roles', 'secret_versions', 'api_keys'])(
  'a row of %s that was deleted by hand is found, and only it',
  async (table) => {
    const row = await oneRow({ rows }, table, 'tenant_id = ?', acme.uid)
    const id = String(row[idColumnOf(table)])
    const putBack = await takeAway(table, id)
    const { history } = await lookAtIsolation(server)
    await putBack()
    expect(history).toEqual([`missing-row ${acme.uid} ${table} ${id}`])
  },
)

test('a row that an event of deletion only changed is found when it is gone', async () => {
  const roles = server.client(RoleService)
  const extra = `${acme.name}/roles/extra`
  await roles.createRole({ parent: acme.name, roleId: 'extra', role: { permissions: ['workspaces.get'] } })
  const [owner] = await rows.all("SELECT * FROM memberships WHERE tenant_id = ? AND slug = 'owner-bot'", [acme.uid])
  const membership = { name: `${acme.name}/memberships/owner-bot`, roles: ['roles/owner', extra] }
  await server.client(MembershipService).updateMembership({ membership })
  await roles.deleteRole({ name: extra, force: true })
  const name = `${acme.name}/workspaces/soft`
  const { workspace } = await server
    .client(WorkspaceService)
    .createWorkspace({ parent: acme.name, workspaceId: 'soft' })
  await server.client(WorkspaceService).deleteWorkspace({ name })
  const gone = { memberships: String(owner?.membership_id), workspaces: workspace?.uid ?? '' }
  const putBack: (() => Promise<void>)[] = []
  for (const [table, id] of Object.entries(gone)) putBack.push(await takeAway(table, id))
  const { history } = await lookAtIsolation(server)
  for (const each of putBack) await each()
  expect(history?.sort()).toEqual(Object.entries(gone).map(([table, id]) => `missing-row ${acme.uid} ${table} ${id}`))
  expect(await lookAtIsolation(server)).toEqual({})
})

test('what events took away is not missing: by hand of its owner, along with another, or in a purge', async () => {
  const key = acme.ownerKey
  const parent = `${acme.name}/workspaces/short`
  await server.client(WorkspaceService, key).createWorkspace({ parent: acme.name, workspaceId: 'short' })
  await seedSecret(server, parent, 'gone')
  await seedSecret(server, parent, 'left')
  const secrets = server.client(SecretService, key)
  await secrets.destroySecretVersion({ name: `${parent}/secrets/left/versions/1` })
  await secrets.deleteSecret({ name: `${parent}/secrets/gone` })
  const user = { issuer: 'https://idp.example', subject: 'erin' }
  await server.client(UserService, key).createUser({ parent: acme.name, userId: 'erin', user })
  const member = { case: 'user', value: `${acme.name}/users/erin` } as const
  await server
    .client(MembershipService, key)
    .createMembership({ parent, membership: { member, roles: ['roles/viewer'] } })
  await server.client(UserService, key).deleteUser({ name: `${acme.name}/users/erin`, force: true })
  await seedAccount(server, acme.name, 'leaver', 'roles/viewer', Membership_WorkspaceReach.ALL)
  const leaver = `${acme.name}/serviceAccounts/leaver`
  await server.client(ServiceAccountService, key).deleteServiceAccount({ name: leaver, force: true })
  expect(await lookAtIsolation(server)).toEqual({})
  await server.client(WorkspaceService, key).deleteWorkspace({ name: parent })
  const { operation } = await server.client(WorkspaceService).purgeWorkspace({ name: parent })
  await ended(server.client(Operations), operation)
  expect(await lookAtIsolation(server)).toEqual({})
  await seedTenant(server, 'globex')
  await server.client(TenantService).deleteTenant({ name: 'tenants/globex', force: true })
  expect(await lookAtIsolation(server)).toEqual({})
  const whole = await server.client(TenantService).purgeTenant({ name: 'tenants/globex' })
  await ended(server.client(Operations), whole.operation)
  expect(await lookAtIsolation(server)).toEqual({})
})
