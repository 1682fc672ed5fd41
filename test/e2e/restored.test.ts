import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { AccessService } from '../../src/gen/tenure/v1/access_service_pb.ts'
import { AuditService } from '../../src/gen/tenure/v1/audit_service_pb.ts'
import { RoleService } from '../../src/gen/tenure/v1/role_service_pb.ts'
import { TenantService } from '../../src/gen/tenure/v1/tenant_service_pb.ts'
import { UserService } from '../../src/gen/tenure/v1/user_service_pb.ts'
import { childEnvironment, runTenure } from '../support/child-server.ts'
import { seedPermissions, seedTenant } from '../support/fixture.ts'
import { reasonOf } from '../support/reason.ts'
import { startTestServer } from '../support/test-server.ts'

let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tenure-restored-'))
})

afterEach(() => rmSync(folder, { recursive: true, force: true }))

test('after a restore revisions from before are lost, new ones are good, and every chain says so and verifies', async () => {
  const before = await startTestServer({ folder })
  await seedPermissions(before)
  const acme = await seedTenant(before, 'acme')
  const user = { issuer: 'https://idp.example', subject: 'late' }
  const old = await before.client(UserService).createUser({ parent: acme.name, userId: 'late', user })
  const ofPlatform = await before.client(RoleService).createPermission({ permissionId: 'orders.late' })
  await before[Symbol.asyncDispose]()

  const told = await runTenure(['restored'], childEnvironment(folder))
  expect(told).toMatchObject({ code: 0, stderr: '' })
  expect(told.stdout).toMatch(/The platform and its tenants \(1\) have begun new timelines/)

  await using after = await startTestServer({ folder })
  const ask = (atLeastRevision: string) =>
    after.client(AccessService).authorize({
      parent: `${acme.name}/workspaces/prod`,
      credential: { case: 'principal', value: { kind: { case: 'user', value: acme.alice } } },
      permission: 'orders.read',
      atLeastRevision,
    })
  expect(await reasonOf(ask(old.revision))).toBe('REVISION_LOST')
  const list = after.client(TenantService).listTenants({ atLeastRevision: ofPlatform.revision })
  expect(await reasonOf(list)).toBe('REVISION_LOST')
  const { revision } = await after.client(TenantService).updateTenant({ tenant: { name: acme.name, displayName: 'A' } })
  expect(await reasonOf(ask(revision))).toBe('OK')
  const { auditEvents } = await after
    .client(AuditService)
    .listAuditEvents({ parent: acme.name, filter: 'event = "timelines.begin"' })
  expect(auditEvents).toHaveLength(1)
  for (const parent of ['', acme.name]) {
    expect((await after.client(AuditService).verifyAuditChain({ parent })).valid).toBe(true)
  }
})
