import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { MembershipService } from '../../src/gen/tenure/v1/membership_service_pb.ts'
import { Tenant_State } from '../../src/gen/tenure/v1/tenant_pb.ts'
import { TenantService } from '../../src/gen/tenure/v1/tenant_service_pb.ts'
import { startTestServer } from '../support/test-server.ts'

let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tenure-interrupted-'))
})

afterEach(() => rmSync(folder, { recursive: true, force: true }))

/** Changes the file of a stopped server: what a crash at that moment would have left. */
function afterCrash(sql: readonly string[]): void {
  const database = new DatabaseSync(join(folder, 'tenure.db'))
  for (const statement of sql) database.exec(statement)
  database.close()
}

test('a tenant whose creation was interrupted between directory and cell is finished at the next start', async () => {
  const first = await startTestServer({ folder })
  const initialOwner = { issuer: 'https://idp.example', subject: 'owner' }
  const request = { tenantId: 'acme', initialOwner, requestId: 'once' }
  const made = await first.client(TenantService).createTenant(request)
  await first.stop()
  const provisioning = JSON.stringify({
    timelineId: '018f0000-0000-7000-8000-000000000001',
    initialOwner: { ...initialOwner, email: '' },
    actor: { principal: 'serviceAccounts/root', credential: 'apiKeys/x', requestId: 'r', clientIp: '' },
  })
  afterCrash([
    ...['tenant_heads', 'users', 'memberships', 'journal'].map((table) => `DELETE FROM ${table}`),
    `UPDATE tenant_placements SET state = 'PROVISIONING', provisioning = '${provisioning}'`,
  ])
  await using second = await startTestServer({ folder })
  const { tenant } = await second.client(TenantService).getTenant({ name: 'tenants/acme' })
  expect(tenant).toMatchObject({ uid: made.tenant?.uid, state: Tenant_State.ACTIVE })
  const { memberships } = await second.client(MembershipService).listMemberships({ parent: 'tenants/acme' })
  expect(memberships.map(({ roles }) => roles)).toEqual([['roles/owner']])
  expect(await second.client(TenantService).createTenant(request)).toEqual(made)
})

test('a projection that a crash left behind its head is brought up at the next start', async () => {
  const first = await startTestServer({ folder })
  const tenants = first.client(TenantService)
  await tenants.createTenant({ tenantId: 'acme' })
  await tenants.updateTenant({ tenant: { name: 'tenants/acme', displayName: 'Acme' } })
  await first.stop()
  afterCrash(["UPDATE tenant_placements SET display_name = '', version = 1"])
  await using second = await startTestServer({ folder })
  const listed = await second.client(TenantService).listTenants({})
  expect(listed.tenants[0]?.displayName).toBe('Acme')
})
