import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Operations } from '../../src/gen/google/longrunning/operations_pb.ts'
import { AccessService, Decision } from '../../src/gen/tenure/v1/access_service_pb.ts'
import { MembershipService } from '../../src/gen/tenure/v1/membership_service_pb.ts'
import { PurgeReceiptSchema } from '../../src/gen/tenure/v1/purge_receipt_pb.ts'
import { SecretService } from '../../src/gen/tenure/v1/secret_service_pb.ts'
import { Tenant_SuspensionMode } from '../../src/gen/tenure/v1/tenant_pb.ts'
import { TenantService } from '../../src/gen/tenure/v1/tenant_service_pb.ts'
import { WorkspaceService } from '../../src/gen/tenure/v1/workspace_service_pb.ts'
import { seedPermissions, seedTenant, type TenantFixture } from '../support/fixture.ts'
import { insertCopy, oneRow } from '../support/forgery.ts'
import { forgetAnchor } from '../support/keyring-anchor.ts'
import { ended, responseOf } from '../support/operation.ts'
import { reasonOf } from '../support/reason.ts'
import { codesOf } from '../support/row-code-checks.ts'
import { openSideDoor, type SideDoor } from '../support/side-door.ts'
import { startTestServer, type TestServer } from '../support/test-server.ts'

// What a name stands for, and whether it is open, changed by whoever can write the database.

let folder: string
let acme: TenantFixture
let evil: TenantFixture

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tenure-places-'))
})

afterEach(() => rmSync(folder, { recursive: true, force: true }))

/** bob reads orders in the workspace `test`, and has nothing in `prod`; so have all of evil nothing in acme. */
async function installation(): Promise<TestServer> {
  const server = await startTestServer({ folder })
  await seedPermissions(server)
  acme = await seedTenant(server, 'acme')
  evil = await seedTenant(server, 'evil')
  await server.client(MembershipService).createMembership({
    ...{ parent: `${acme.name}/workspaces/test`, membershipId: 'bob' },
    membership: { member: { case: 'user', value: acme.bob }, roles: [`${acme.name}/roles/order-reader`] },
  })
  return server
}

const prod = () => `${acme.name}/workspaces/prod`

async function mayRead(server: TestServer, subject: string, parent = prod()): Promise<boolean> {
  const identity = { issuer: 'https://idp.example', subject }
  const { decision } = await server.client(AccessService).authorize({
    ...{ parent, permission: 'orders.read' },
    credential: { case: 'principal', value: { kind: { case: 'identity', value: identity } } },
  })
  return decision === Decision.ALLOW
}

async function swap(rows: SideDoor, table: string, one: string, other: string): Promise<void> {
  for (const [from, to] of [
    [one, 'between'],
    [other, one],
    ['between', other],
  ] as const) {
    await rows.run(`UPDATE ${table} SET slug = ? WHERE slug = ?`, [to, from])
  }
}

async function forgedTables(server: TestServer): Promise<string[]> {
  return [...new Set((await codesOf(server)).forged.map(({ table }) => table))].sort()
}

test('workspaces whose names were swapped are none: nobody has power at the other name', async () => {
  const before = await installation()
  expect(await mayRead(before, 'bob@acme', `${acme.name}/workspaces/test`)).toBe(true)
  await before.stop()
  await using rows = await openSideDoor(before.databaseUrl)
  await swap(rows, 'workspaces', 'prod', 'test')
  await using after = await startTestServer({ folder })
  expect(await mayRead(after, 'bob@acme')).toBe(false)
  expect(await mayRead(after, 'alice@acme')).toBe(false)
  expect(await forgedTables(after)).toEqual(['workspaces'])
  await swap(rows, 'workspaces', 'prod', 'test')
  expect(await forgedTables(after)).toEqual([])
})

test.each([
  ['heads and directory', ['tenant_heads', 'tenant_placements'], ['tenant_heads']],
  ['heads alone', ['tenant_heads'], ['tenant_heads']],
  ['the directory alone', ['tenant_placements'], []],
])('tenants whose names were swapped in %s give nobody power at the other name', async (_where, tables, forged) => {
  const before = await installation()
  expect(await mayRead(before, 'alice@acme')).toBe(true)
  await before.stop()
  await using rows = await openSideDoor(before.databaseUrl)
  for (const table of tables) await swap(rows, table, 'acme', 'evil')
  await using after = await startTestServer({ folder })
  expect(await mayRead(after, 'alice@evil')).toBe(false)
  const read = after.client(WorkspaceService, evil.ownerKey).getWorkspace({ name: prod() })
  expect(['NOT_FOUND', 'CREDENTIAL_INVALID']).toContain(await reasonOf(read))
  expect(await forgedTables(after)).toEqual(forged)
})

test('what was suspended, archived or deleted is not open again because a row says so', async () => {
  const before = await installation()
  const gone = `${acme.name}/workspaces/test`
  await before.client(WorkspaceService).archiveWorkspace({ name: prod() })
  await before.client(WorkspaceService).deleteWorkspace({ name: gone })
  await before.client(TenantService).suspendTenant({ name: evil.name, mode: Tenant_SuspensionMode.FULL })
  await before.stop()
  await using rows = await openSideDoor(before.databaseUrl)
  await rows.run("UPDATE workspaces SET state = 'ACTIVE', delete_time = NULL, purge_time = NULL")
  await rows.run("UPDATE tenant_heads SET state = 'ACTIVE', suspension_mode = 'NONE'")
  await using after = await startTestServer({ folder })
  expect(await mayRead(after, 'alice@acme')).toBe(false)
  expect(await mayRead(after, 'bob@acme', gone)).toBe(false)
  expect(await mayRead(after, 'alice@evil', `${evil.name}/workspaces/prod`)).toBe(false)
  expect(await forgedTables(after)).toEqual(['tenant_heads', 'workspaces'])
  // Who never was suspended is where it was.
  expect(await reasonOf(after.client(TenantService, acme.ownerKey).getTenant({ name: acme.name }))).toBe('OK')
})

test('the purge of a tenant destroys no key for a row that puts a workspace of another among its own', async () => {
  await using server = await installation()
  await using rows = await openSideDoor(server.databaseUrl)
  const { workspace } = await server.client(WorkspaceService).getWorkspace({ name: prod() })
  const own = await oneRow({ rows }, 'workspaces', "tenant_id = ? AND slug = 'prod'", evil.uid)
  await insertCopy({ rows }, 'workspaces', own, { workspace_id: workspace?.uid, slug: 'stolen' })
  await server.client(TenantService).deleteTenant({ name: evil.name, force: true })
  const { operation } = await server.client(TenantService).purgeTenant({ name: evil.name })
  responseOf(await ended(server.client(Operations), operation), PurgeReceiptSchema)
  const secrets = server.client(SecretService, acme.ownerKey)
  const parent = `${prod()}/secrets/database`
  await secrets.accessSecretVersion({ name: `${parent}/versions/1` })
  await secrets.addSecretVersion({ parent, payload: Buffer.from('sealed with the same key') })
})

test('a database whose grants have codes and whose places have none yet gets theirs at one start, and no second time', async () => {
  const before = await installation()
  await before.stop()
  await using rows = await openSideDoor(before.databaseUrl)
  const takeAway = async () => {
    for (const table of ['workspaces', 'tenant_heads']) await rows.run(`UPDATE ${table} SET row_code = NULL`)
  }
  await takeAway()
  await rows.run("DELETE FROM sealed_keys WHERE key_name = 'place-code'")
  await forgetAnchor(before.config, 'tenure-place-codes')
  const upgraded = await startTestServer({ folder })
  expect(await forgedTables(upgraded)).toEqual([])
  expect(await mayRead(upgraded, 'alice@acme')).toBe(true)
  await upgraded.stop()
  await takeAway()
  await using after = await startTestServer({ folder })
  expect(await forgedTables(after)).toEqual(['tenant_heads', 'workspaces'])
  expect(await mayRead(after, 'alice@acme')).toBe(false)
})
