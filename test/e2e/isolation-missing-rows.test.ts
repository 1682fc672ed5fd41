import { afterAll, beforeAll, expect, test } from 'vitest'
import { Operations } from '../../src/gen/google/longrunning/operations_pb.ts'
import { Membership_WorkspaceReach } from '../../src/gen/tenure/v1/membership_pb.ts'
import { MembershipService } from '../../src/gen/tenure/v1/membership_service_pb.ts'
import { SecretService } from '../../src/gen/tenure/v1/secret_service_pb.ts'
import { ServiceAccountService } from '../../src/gen/tenure/v1/service_account_service_pb.ts'
import { TenantService } from '../../src/gen/tenure/v1/tenant_service_pb.ts'
import { UserService } from '../../src/gen/tenure/v1/user_service_pb.ts'
import { WorkspaceService } from '../../src/gen/tenure/v1/workspace_service_pb.ts'
import { seedAccount, seedPermissions, seedSecret, seedTenant, type TenantFixture } from '../support/fixture.ts'
import { lookAtIsolation } from '../support/look-at-isolation.ts'
import { ended } from '../support/operation.ts'
import { openSideDoor, type SideDoor, type StoredValue } from '../support/side-door.ts'
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

/** A stored row, ready to be put back. */
function partsOf(table: string, row: Readonly<Record<string, unknown>>) {
  const columns = Object.keys(row)
  const values = columns.map((column) => storedAs(row[column]))
  const column = `${table.replace(/s$/, '')}_id`
  return { columns, values, id: { column, value: String(row[column]) } }
}

/** A list comes out of MySQL as one. */
function storedAs(value: unknown): StoredValue {
  const isPlain = value === null || typeof value !== 'object' || value instanceof Uint8Array || value instanceof Date
  return (isPlain ? value : JSON.stringify(value)) as StoredValue
}

test.each(['memberships', 'roles', 'secret_versions', 'api_keys'])(
  'a row of %s that was deleted by hand is found, and only it',
  async (table) => {
    const [row] = await rows.all(`SELECT * FROM ${table} WHERE tenant_id = ? LIMIT 1`, [acme.uid])
    const { columns, values, id } = partsOf(table, row ?? {})
    await rows.run(`DELETE FROM ${table} WHERE tenant_id = ? AND ${id.column} = ?`, [acme.uid, id.value])
    const { history } = await lookAtIsolation(server)
    await rows.run(`INSERT INTO ${table} (${columns.join(', ')}) VALUES (${columns.map(() => '?').join(', ')})`, values)
    expect(history).toEqual([`missing-row ${acme.uid} ${table} ${id.value}`])
  },
)

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
