import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { TenureError } from '../../src/base/errors.ts'
import { MembershipService } from '../../src/gen/tenure/v1/membership_service_pb.ts'
import { Tenant_State, Tenant_SuspensionMode } from '../../src/gen/tenure/v1/tenant_pb.ts'
import { TenantService } from '../../src/gen/tenure/v1/tenant_service_pb.ts'
import { reasonOf } from '../support/reason.ts'
import { openSideDoor } from '../support/side-door.ts'
import { databaseUrlOf } from '../support/test-database.ts'
import { startTestServer } from '../support/test-server.ts'

let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tenure-interrupted-'))
})

afterEach(() => rmSync(folder, { recursive: true, force: true }))

/** Changes what a stopped server left into what a crash at some moment would have. */
async function afterCrash(sql: readonly string[]): Promise<void> {
  await using sideDoor = await openSideDoor(databaseUrlOf(folder))
  for (const statement of sql) await sideDoor.run(statement)
}

test('a tenant whose creation was interrupted between directory and cell is finished at the next start', async () => {
  const first = await startTestServer({ folder })
  const initialOwner = { issuer: 'https://idp.example', subject: 'owner' }
  const request = { tenantId: 'acme', initialOwner, requestId: 'once' }
  // The last thing that server does is what it wrote in the directory.
  const { cell } = first.server.platform.storage as unknown as { cell: { write: unknown } }
  const { write } = cell
  cell.write = () => Promise.reject(new TenureError('DATABASE_UNAVAILABLE', 'it crashed here'))
  expect(await reasonOf(first.client(TenantService).createTenant(request))).toBe('DATABASE_UNAVAILABLE')
  cell.write = write
  await first.stop()
  await using second = await startTestServer({ folder })
  const { tenant } = await second.client(TenantService).getTenant({ name: 'tenants/acme' })
  expect(tenant).toMatchObject({ state: Tenant_State.ACTIVE })
  const { memberships } = await second.client(MembershipService).listMemberships({ parent: 'tenants/acme' })
  expect(memberships.map(({ roles }) => roles)).toEqual([['roles/owner']])
  const made = await second.client(TenantService).createTenant(request)
  expect(made.tenant?.uid).toBe(tenant?.uid)
})

test('a projection that a crash left behind its head is brought up at the next start', async () => {
  const first = await startTestServer({ folder })
  const tenants = first.client(TenantService)
  await tenants.createTenant({ tenantId: 'acme' })
  await tenants.updateTenant({ tenant: { name: 'tenants/acme', displayName: 'Acme' } })
  await first.stop()
  await afterCrash(["UPDATE tenant_placements SET display_name = '', version = 1"])
  await using second = await startTestServer({ folder })
  const listed = await second.client(TenantService).listTenants({})
  expect(listed.tenants[0]?.displayName).toBe('Acme')
})

test('a projection that failed after its commit does not fail the call, and the repeated request mends it', async () => {
  await using server = await startTestServer({ folder })
  const tenants = server.client(TenantService)
  await tenants.createTenant({ tenantId: 'acme' })
  const request = { name: 'tenants/acme', mode: Tenant_SuspensionMode.FULL, requestId: 'suspend-once' }
  const { directory } = server.server.platform as unknown as { directory: { writeUnlogged: unknown } }
  const real = directory.writeUnlogged
  directory.writeUnlogged = async () => {
    directory.writeUnlogged = real
    throw new Error('on purpose')
  }
  await tenants.suspendTenant(request)
  await tenants.suspendTenant(request)
  const listed = await tenants.listTenants({})
  expect(listed.tenants[0]?.state).toBe(Tenant_State.SUSPENDED)
})

test('a creation that is completed late leaves what happened to the tenant since', async () => {
  const first = await startTestServer({ folder })
  const tenants = first.client(TenantService)
  const { directory } = first.server.platform as unknown as { directory: { writeUnlogged: unknown } }
  const real = directory.writeUnlogged
  directory.writeUnlogged = async () => {
    directory.writeUnlogged = real
    throw new Error('on purpose')
  }
  const make = () => tenants.createTenant({ tenantId: 'acme', requestId: 'once' })
  await expect(make()).rejects.toThrow()
  await tenants.suspendTenant({ name: 'tenants/acme', mode: Tenant_SuspensionMode.FULL })
  await make()
  expect((await tenants.listTenants({})).tenants[0]?.state).toBe(Tenant_State.SUSPENDED)
  await first.stop()
})

test('a deletion repeated by its request id answers as the first time', async () => {
  await using server = await startTestServer({ folder })
  const tenants = server.client(TenantService)
  await tenants.createTenant({ tenantId: 'goner' })
  const request = { name: 'tenants/goner', requestId: 'delete-once' }
  const first = await tenants.deleteTenant(request)
  expect(await tenants.deleteTenant(request)).toEqual(first)
})

test('what is past its purge time is not brought back', async () => {
  let now = Date.now()
  const clock = { nowMs: () => now, monotonicMs: () => performance.now() }
  await using server = await startTestServer({ folder, clock })
  const tenants = server.client(TenantService)
  await tenants.createTenant({ tenantId: 'old' })
  await tenants.deleteTenant({ name: 'tenants/old' })
  now += 40 * 86_400_000
  expect(await reasonOf(tenants.undeleteTenant({ name: 'tenants/old' }))).toBe('INVALID_STATE')
})
