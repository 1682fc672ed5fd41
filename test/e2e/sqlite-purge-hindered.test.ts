import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { takesAway, toldOf } from '../../src/assurance/isolation/history-probe.ts'
import { type Operation, Operations } from '../../src/gen/google/longrunning/operations_pb.ts'
import { DiagnosticsService } from '../../src/gen/tenure/v1/diagnostics_service_pb.ts'
import { IsolationReportSchema } from '../../src/gen/tenure/v1/isolation_report_pb.ts'
import { PurgeReceiptSchema } from '../../src/gen/tenure/v1/purge_receipt_pb.ts'
import { TenantService } from '../../src/gen/tenure/v1/tenant_service_pb.ts'
import { cellTables } from '../../src/tables.ts'
import { createTenantHistories } from '../../src/tenancy/tenant-history.ts'
import { isLiving } from '../../src/tenants/tenant-store.ts'
import { seedPermissions, seedTenant, type TenantFixture } from '../support/fixture.ts'
import { ended, metadataOf, responseOf } from '../support/operation.ts'
import { reasonOf } from '../support/reason.ts'
import { openSideDoor, type SideDoor } from '../support/side-door.ts'
import { startTestServer, type TestServer } from '../support/test-server.ts'

let server: TestServer
let rows: SideDoor
let acme: TenantFixture
let name: string

/** A table that gives up no row: a purge comes as far as that, behind its fence, and is kept from its end. */
beforeAll(async () => {
  server = await startTestServer()
  rows = await openSideDoor(server.databaseUrl)
  await seedPermissions(server)
  acme = await seedTenant(server, 'acme')
  await rows.all("CREATE TRIGGER kept BEFORE DELETE ON workspaces BEGIN SELECT RAISE(ABORT, 'kept'); END", [])
  const tenants = server.client(TenantService)
  await tenants.deleteTenant({ name: acme.name, force: true })
  const { operation } = await tenants.purgeTenant({ name: acme.name })
  name = operation?.name ?? ''
  for (let tried = 0; (await attempts()) < 2n; tried += 1) {
    if (tried > 200) throw new Error(`${name} is not tried again`)
    await sleep(50)
  }
})

afterAll(async () => {
  await rows[Symbol.asyncDispose]()
  await server[Symbol.asyncDispose]()
})

const attempts = async () => metadataOf(await server.client(Operations).getOperation({ name })).attemptCount

test('a tenant behind the fence of its purge is in no list, and found by no name', async () => {
  const tenants = server.client(TenantService)
  const { tenants: listed } = await tenants.listTenants({ showDeleted: true })
  expect(listed.map((each) => each.name)).not.toContain(acme.name)
  expect(await reasonOf(tenants.batchGetTenants({ names: [acme.name] }))).toBe('NOT_FOUND')
  const [entry] = await rows.all('SELECT state, display_name FROM tenant_placements WHERE tenant_id = ?', [acme.uid])
  expect(entry).toEqual({ state: 'PURGED', display_name: '' })
})

test('a look in the middle of a purge does not take what is left of the tenant for rows that nobody owns', async () => {
  const { operation } = await server.client(DiagnosticsService).diagnoseIsolation({})
  const { probes } = responseOf(await ended(server.client(Operations), operation), IsolationReportSchema)
  const found = probes.filter(({ probe }) => probe === 'ownership' || probe === 'references')
  expect(found.map(({ probe, findings }) => [probe, findings])).toEqual([
    ['ownership', []],
    ['references', []],
  ])
})

test('a tenant whose purge began after it was chosen to be looked at misses nothing', async () => {
  const { scopes } = server.server.platform
  const compared = await createTenantHistories({ scopes, isLiving, takesAway }).compare(
    acme.uid,
    toldOf(cellTables),
    () => undefined,
  )
  expect(compared).toEqual({ untold: [], missing: [] })
})

test('a purge that was tried again counts each key once', async () => {
  await rows.all('DROP TRIGGER kept', [])
  const last = await ended(server.client(Operations), { name } as Operation)
  expect(metadataOf(last).attemptCount).toBeGreaterThan(1n)
  expect(responseOf(last, PurgeReceiptSchema)).toMatchObject({ uid: acme.uid, destroyedKeyCount: 1n })
})
