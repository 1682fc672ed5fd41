import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { AccessService, Decision } from '../../src/gen/tenure/v1/access_service_pb.ts'
import { Membership_WorkspaceReach } from '../../src/gen/tenure/v1/membership_pb.ts'
import { MembershipService } from '../../src/gen/tenure/v1/membership_service_pb.ts'
import { RoleService } from '../../src/gen/tenure/v1/role_service_pb.ts'
import { ServiceAccountService } from '../../src/gen/tenure/v1/service_account_service_pb.ts'
import { UserService } from '../../src/gen/tenure/v1/user_service_pb.ts'
import { seedPermissions, seedTenant } from '../support/fixture.ts'
import { reasonOf } from '../support/reason.ts'
import { openSideDoor, type SideDoor } from '../support/side-door.ts'
import { startTestServer, type TestServer } from '../support/test-server.ts'

// What rows say from which power follows, though they are no bindings themselves: changed by whoever can write the database.

let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tenure-forged-'))
})

afterEach(() => rmSync(folder, { recursive: true, force: true }))

async function decides(server: TestServer, tenant: string, subject: string): Promise<Decision> {
  const identity = { issuer: 'https://evil.example', subject }
  const { decision } = await server.client(AccessService).authorize({
    parent: `${tenant}/workspaces/prod`,
    credential: { case: 'principal', value: { kind: { case: 'identity', value: identity } } },
    permission: 'secrets.access',
  })
  return decision
}

/** The tenant as if its creation had been interrupted, by somebody who would own it. */
async function beginAnew(rows: SideDoor, tenantId: string, alsoHistory: boolean): Promise<void> {
  const [head] = await rows.all('SELECT timeline_id FROM tenant_heads WHERE tenant_id = ?', [tenantId])
  const provisioning = {
    timelineId: String(head?.timeline_id),
    initialOwner: { issuer: 'https://evil.example', subject: 'thief', email: '' },
    actor: { principal: 'x', credential: '', requestId: 'r', clientIp: '' },
  }
  await rows.run('DELETE FROM tenant_heads WHERE tenant_id = ?', [tenantId])
  const some = alsoHistory ? '' : ' AND sequence = 1'
  await rows.run(`DELETE FROM journal WHERE tenant_id = ? AND chain = 'authority'${some}`, [tenantId])
  await rows.run("UPDATE tenant_placements SET state = 'PROVISIONING', provisioning = ? WHERE tenant_id = ?", [
    JSON.stringify(provisioning),
    tenantId,
  ])
}

test.each([false, true])(
  'a tenant whose creation was forged gets no owner by it, its whole history taken away: %s',
  async (alsoHistory) => {
    const before = await startTestServer({ folder })
    await seedPermissions(before)
    const acme = await seedTenant(before, 'acme')
    await before.stop()
    await using rows = await openSideDoor(before.databaseUrl)
    await beginAnew(rows, acme.uid, alsoHistory)
    await using after = await startTestServer({ folder })
    expect(await rows.all("SELECT slug FROM users WHERE subject = 'thief'")).toEqual([])
    expect(await decides(after, acme.name, 'thief')).toBe(Decision.DENY)
  },
)

test('what readers and members are given does not follow from a row that was changed', async () => {
  const before = await startTestServer({ folder })
  await seedPermissions(before)
  const acme = await seedTenant(before, 'acme')
  await before.stop()
  await using rows = await openSideDoor(before.databaseUrl)
  await rows.run("UPDATE permissions SET effect = 'READ' WHERE permission_id IN ('users.create', 'orders.write')")
  await using after = await startTestServer({ folder })
  const create = after
    .client(UserService, acme.viewerKey)
    .createUser({ parent: acme.name, user: { issuer: 'a', subject: 'b' } })
  expect(await reasonOf(create)).toBe('PERMISSION_MISSING')
  const viewer = { case: 'serviceAccount', value: `${acme.name}/serviceAccounts/viewer-bot` } as const
  const ofViewer = async (permission: string) => {
    const credential = { case: 'principal', value: { kind: viewer } } as const
    return (await after.client(AccessService).authorize({ parent: acme.name, credential, permission })).decision
  }
  expect(await ofViewer('orders.read')).toBe(Decision.ALLOW)
  expect(await ofViewer('orders.write')).toBe(Decision.DENY)
})

test('a role emptied for a moment lets nobody widen what they do not hold', async () => {
  await using server = await startTestServer({ folder })
  await seedPermissions(server)
  const acme = await seedTenant(server, 'acme')
  await using rows = await openSideDoor(server.databaseUrl)
  const [mule, big] = [`${acme.name}/serviceAccounts/mule`, `${acme.name}/roles/big`]
  const permissions = ['tenants.delete', 'secrets.access']
  await server.client(RoleService).createRole({ parent: acme.name, roleId: 'big', role: { permissions } })
  await server.client(ServiceAccountService).createServiceAccount({ parent: acme.name, serviceAccountId: 'mule' })
  await server.client(MembershipService).createMembership({
    ...{ parent: acme.name, membershipId: 'mule' },
    membership: { member: { case: 'serviceAccount', value: mule }, roles: [big] },
  })
  const widen = () =>
    reasonOf(
      server.client(MembershipService, acme.adminKey).updateMembership({
        membership: { name: `${acme.name}/memberships/mule`, workspaceReach: Membership_WorkspaceReach.ALL },
        updateMask: { paths: ['workspace_reach'] },
      }),
    )
  expect(await widen()).toBe('GRANT_EXCEEDS_CALLER')
  await rows.run("UPDATE roles SET permissions = '[]' WHERE slug = 'big'")
  expect(await widen()).toBe('GRANT_EXCEEDS_CALLER')
})
