import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { ApiKey_State } from '../../src/gen/tenure/v1/api_key_pb.ts'
import { ApiKeyService } from '../../src/gen/tenure/v1/api_key_service_pb.ts'
import { AuditService } from '../../src/gen/tenure/v1/audit_service_pb.ts'
import { MembershipService } from '../../src/gen/tenure/v1/membership_service_pb.ts'
import { RoleService } from '../../src/gen/tenure/v1/role_service_pb.ts'
import { ServiceAccountService } from '../../src/gen/tenure/v1/service_account_service_pb.ts'
import { TenantService } from '../../src/gen/tenure/v1/tenant_service_pb.ts'
import { WorkspaceService } from '../../src/gen/tenure/v1/workspace_service_pb.ts'
import { seedPermissions, seedTenant, type TenantFixture } from '../support/fixture.ts'
import { reasonOf } from '../support/reason.ts'
import { codesOf } from '../support/row-code-checks.ts'
import { openSideDoor, type SideDoor } from '../support/side-door.ts'
import { startTestServer, type TestServer } from '../support/test-server.ts'

// Whoever can write the database writes nonsense where a list is to stand: that one row grants nothing, and all else goes on.

let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tenure-unreadable-'))
})

afterEach(() => rmSync(folder, { recursive: true, force: true }))

const victims = [
  { table: 'memberships', column: 'roles', slug: 'viewer-bot' },
  { table: 'roles', column: 'permissions', slug: 'order-reader' },
  { table: 'platform_service_accounts', column: 'roles', slug: 'helper' },
] as const

async function installation(): Promise<{ readonly acme: TenantFixture; readonly url: string }> {
  const before = await startTestServer({ folder })
  await seedPermissions(before)
  const acme = await seedTenant(before, 'acme')
  const account = { displayName: 'Helper', roles: ['roles/platform.admin'] }
  await before.client(ServiceAccountService).createServiceAccount({
    ...{ parent: '', serviceAccountId: 'helper', serviceAccount: account },
  })
  await before.stop()
  return { acme, url: before.databaseUrl }
}

/** Also what `helper` has, in one list of each kind. */
async function lists(server: TestServer, { name }: TenantFixture) {
  const { memberships } = await server.client(MembershipService).listMemberships({ parent: name })
  const { roles } = await server.client(RoleService).listRoles({ parent: name })
  const { serviceAccounts } = await server.client(ServiceAccountService).listServiceAccounts({ parent: '' })
  return {
    viewer: memberships.find((each) => each.name.endsWith('/viewer-bot'))?.roles,
    reader: roles.find((each) => each.name.endsWith('/order-reader'))?.permissions,
    helper: serviceAccounts.find((each) => each.name.endsWith('/helper'))?.roles,
  }
}

async function forge(rows: SideDoor, text: string): Promise<void> {
  for (const { table, column, slug } of victims)
    await rows.run(`UPDATE ${table} SET ${column} = ? WHERE slug = ?`, [text, slug])
  await rows.run("UPDATE tenant_placements SET provisioning = ? WHERE slug = 'acme'", [text])
  // Labels decide nothing, and no code covers them; they stand beside what does.
  for (const table of ['tenant_heads', 'tenant_placements', 'workspaces'])
    await rows.run(`UPDATE ${table} SET labels = ?`, [text])
}

test.each(['not json', '{"0":"roles/owner"}', '5', 'null', '"roles/owner"', '[["roles/owner"]]', '[1]', ''])(
  'rows that say %j where a list must stand grant nothing, and keep nothing else from starting and answering',
  async (text) => {
    const { acme, url } = await installation()
    await using rows = await openSideDoor(url)
    await forge(rows, text)
    await using server = await startTestServer({ folder })
    const reads = (key: string) => reasonOf(server.client(TenantService, key).getTenant({ name: acme.name }))
    expect(await reads(acme.ownerKey)).toBe('OK')
    expect(await reasonOf(server.client(WorkspaceService).listWorkspaces({ parent: acme.name }))).toBe('OK')
    expect(await reads(acme.viewerKey)).toBe('NOT_FOUND')
    expect(await lists(server, acme)).toEqual({ viewer: [], reader: [], helper: [] })
    const { forged } = await codesOf(server)
    const tables = forged.map(({ table }) => table).filter((table) => table !== 'tenant_placements')
    expect(tables.sort()).toEqual(victims.map(({ table }) => table).sort())
    await server.client(MembershipService).deleteMembership({ name: `${acme.name}/memberships/viewer-bot` })
    expect((await lists(server, acme)).viewer).toBeUndefined()
  },
)

test('a narrowed key whose permissions are nonsense is not a wide one; revoked, it is removed, and the audit log says why', async () => {
  const { acme, url } = await installation()
  const before = await startTestServer({ folder })
  const owner = { case: 'serviceAccount', value: `${acme.name}/serviceAccounts/owner-bot` } as const
  const { apiKey, secret } = await before
    .client(ApiKeyService)
    .createApiKey({ parent: acme.name, apiKey: { owner, permissions: ['users.get'] } })
  const name = apiKey?.name ?? ''
  await before.stop()
  await using rows = await openSideDoor(url)
  await rows.run("UPDATE api_keys SET permissions = 'not json' WHERE api_key_id = ?", [apiKey?.uid ?? ''])
  await using server = await startTestServer({ folder })
  const read = server.client(TenantService, secret).getTenant({ name: acme.name })
  expect(await reasonOf(read)).toBe('CREDENTIAL_INVALID')
  const keys = server.client(ApiKeyService)
  expect((await keys.revokeApiKey({ name })).apiKey?.state).toBe(ApiKey_State.REVOKED)
  expect(await reasonOf(keys.getApiKey({ name }))).toBe('NOT_FOUND')
  expect((await codesOf(server)).forged).toEqual([])
  const filter = `event = "apiKeys.revoke" AND target = "${name}"`
  const { auditEvents } = await server.client(AuditService).listAuditEvents({ parent: acme.name, filter })
  expect(auditEvents).toMatchObject([{ details: { forged: true } }])
})

test('a key of the platform that was forged can be revoked', async () => {
  const { url } = await installation()
  await using rows = await openSideDoor(url)
  await using server = await startTestServer({ folder })
  const owner = { case: 'serviceAccount', value: 'serviceAccounts/helper' } as const
  const keys = server.client(ApiKeyService)
  const { apiKey } = await keys.createApiKey({ parent: '', apiKey: { owner } })
  await rows.run("UPDATE platform_api_keys SET owner_id = 'x' WHERE api_key_id = ?", [apiKey?.uid ?? ''])
  expect((await codesOf(server)).forged).toHaveLength(1)
  await keys.revokeApiKey({ name: apiKey?.name ?? '' })
  expect((await codesOf(server)).forged).toEqual([])
})
