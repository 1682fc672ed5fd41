import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { ApiKeyService } from '../../src/gen/tenure/v1/api_key_service_pb.ts'
import { AuditService } from '../../src/gen/tenure/v1/audit_service_pb.ts'
import { DiagnosticsService } from '../../src/gen/tenure/v1/diagnostics_service_pb.ts'
import { GuardViolation_Mode } from '../../src/gen/tenure/v1/guard_violation_pb.ts'
import { ServiceAccountService } from '../../src/gen/tenure/v1/service_account_service_pb.ts'
import { silentLog } from '../../src/observe/log.ts'
import { ControlPlaneError, createControlPlane } from '../../src/sdk/control-plane.ts'
import type { Violation } from '../../src/sdk/guard/guard-violation.ts'
import {
  createViolationReporter,
  type ViolationReporter,
  type ViolationReporterOptions,
} from '../../src/sdk/guard/violation-reporter.ts'
import { type FaultProxy, openFaultProxy } from '../rigs/tcp-fault-proxy.ts'
import { seedPermissions, seedTenant, type TenantFixture } from '../support/fixture.ts'
import { openSideDoor } from '../support/side-door.ts'
import { startTestServer, type TestServer } from '../support/test-server.ts'

// What the guard of a service refused reaches the real control plane over a network that fails.

let tenure: TestServer
let acme: TenantFixture
let key: string
let network: FaultProxy

beforeAll(async () => {
  tenure = await startTestServer()
  await seedPermissions(tenure)
  acme = await seedTenant(tenure, 'acme')
  const owner = { case: 'serviceAccount' as const, value: 'serviceAccounts/root' }
  const permissions = ['diagnostics.reportViolations']
  key = (await tenure.client(ApiKeyService).createApiKey({ apiKey: { owner, permissions } })).secret
  network = await openFaultProxy({ host: '127.0.0.1', port: tenure.server.httpPort })
})
afterAll(async () => {
  await network?.[Symbol.asyncDispose]()
  await tenure?.[Symbol.asyncDispose]()
})

let run = 0
let source = ''
beforeEach(() => {
  run += 1
  source = `orders-${run}`
})

/** What the reporter made last has said. */
let errors: unknown[] = []

function reporterWith(changes: Partial<ViolationReporterOptions> = {}): ViolationReporter {
  const own: unknown[] = []
  errors = own
  const controlPlane = createControlPlane({ url: `http://127.0.0.1:${network.port}`, apiKey: key })
  return createViolationReporter({ controlPlane, source, onError: (error) => own.push(error), ...changes })
}

const seen = (changes: Partial<Violation> = {}): Violation => ({
  ...{ reason: 'unpinned-tenant', statement: 'SELECT id FROM orders', mode: 'report' },
  ...{ tenantUid: acme.uid, tenantSlug: 'acme', workspaceUid: undefined, workspaceSlug: undefined },
  ...changes,
})

async function listed() {
  const filter = `source = "${source}"`
  const { guardViolations } = await tenure.client(DiagnosticsService).listGuardViolations({ filter, pageSize: 1_000 })
  return guardViolations
}

const total = async () => (await listed()).reduce((sum, { count }) => sum + Number(count), 0)

test('what a guard saw is listed with its place, its reason, its mode and how often', async () => {
  {
    await using reporter = reporterWith()
    for (let n = 0; n < 250; n += 1) reporter.add(seen())
    reporter.add(seen({ mode: 'enforce', reason: 'unbound', tenantUid: undefined, statement: 'SELECT\u0007 a\u009b' }))
    reporter.add(seen({ statement: '\u0000' }))
    reporter.add(seen({ statement: `SELECT ${'a, '.repeat(3_000)}` }))
  }
  expect(errors).toEqual([])
  const found = (await listed()).map(({ statement, count, reason, mode, tenantUid }) => [
    ...[statement.slice(0, 22), Number(count), reason, mode, tenantUid],
  ])
  expect(found).toHaveLength(4)
  expect(found).toContainEqual(['SELECT id FROM orders', 250, 'unpinned-tenant', GuardViolation_Mode.REPORT, acme.uid])
  expect(found).toContainEqual(['SELECT  a ', 1, 'unbound', GuardViolation_Mode.ENFORCE, ''])
  expect(found).toContainEqual(['(empty)', 1, 'unpinned-tenant', GuardViolation_Mode.REPORT, acme.uid])
})

test('a report about a tenant that never was is listed, and no tenant is told of it', async () => {
  const nobody = '01900000-0000-7000-8000-00000000dead'
  const failures: string[] = []
  await using server = await startTestServer({ log: { ...silentLog, error: (_, text) => void failures.push(text) } })
  await seedPermissions(server)
  const globex = await seedTenant(server, 'globex')
  const diagnostics = server.client(DiagnosticsService)
  const controlPlane = createControlPlane({ url: server.httpUrl, apiKey: server.rootKey })
  {
    await using reporter = createViolationReporter({
      controlPlane,
      source,
      onError: (error) => failures.push(`${error}`),
    })
    reporter.add(seen({ tenantUid: nobody, tenantSlug: 'nobody' }))
    reporter.add(seen({ tenantUid: globex.uid, tenantSlug: 'globex' }))
  }
  expect((await diagnostics.listGuardViolations({ filter: `source = "${source}"` })).guardViolations).toHaveLength(2)
  await server.server.platform.accessLog.flush()
  const events = await server
    .client(AuditService)
    .listAuditEvents({ parent: globex.name, filter: 'event = "guard.refuse"' })
  expect(events.auditEvents).toHaveLength(1)
  await using rows = await openSideDoor(server.databaseUrl)
  expect(await rows.all('SELECT event FROM journal WHERE tenant_id = ?', [nobody])).toEqual([])
  expect(failures).toEqual([])
})

test('what comes within an interval goes as one report, and the next interval goes by itself', async () => {
  await using reporter = reporterWith({ intervalMs: 100 })
  for (const round of [1, 2]) {
    for (let n = 0; n < 50; n += 1) reporter.add(seen())
    await expect.poll(total, { timeout: 5_000 }).toBe(50 * round)
  }
})

describe('over a network that fails', () => {
  test('nothing is lost while the control plane is away, and nobody who adds waits for it', async () => {
    await using reporter = reporterWith({ intervalMs: 50 })
    network.refuse(true)
    network.cutAll()
    const beganMs = performance.now()
    for (let n = 0; n < 1_000; n += 1) reporter.add(seen())
    expect(performance.now() - beganMs).toBeLessThan(500)
    await expect.poll(() => errors.length, { timeout: 5_000 }).toBeGreaterThan(0)
    for (let n = 0; n < 500; n += 1) reporter.add(seen())
    network.refuse(false)
    await reporter.flush()
    await expect.poll(total, { timeout: 10_000 }).toBe(1_500)
  })

  test('a report whose answer is lost counts once', async () => {
    await using reporter = reporterWith()
    for (let n = 0; n < 7; n += 1) reporter.add(seen())
    network.cutWhen((bytes, direction) => {
      return direction === 'toServer' && bytes.includes('ReportGuardViolations') ? 'after' : undefined
    })
    await reporter.flush()
    expect(errors).toMatchObject([{ code: 'unavailable' }])
    expect(await total()).toBe(7)
    await reporter.flush()
    expect(errors).toHaveLength(1)
    expect(await total()).toBe(7)
  })

  test('a service that ends waits three seconds for its last report, not longer', async () => {
    network.swallow(true)
    try {
      const reporter = reporterWith()
      reporter.add(seen())
      const beganMs = performance.now()
      await reporter[Symbol.asyncDispose]()
      expect(performance.now() - beganMs).toBeLessThan(4_000)
    } finally {
      network.swallow(false)
      network.cutAll()
    }
  })
})

test('a key that may not report is said once a try, keeps what is held, and throws into nobody', async () => {
  const controlPlane = createControlPlane({ url: tenure.httpUrl, apiKey: acme.viewerKey })
  const reporter = reporterWith({
    controlPlane,
    onError: (error) => {
      errors.push(error)
      throw new Error('nobody listens')
    },
  })
  reporter.add(seen())
  await reporter.flush()
  expect(errors).toEqual([expect.any(ControlPlaneError)])
  expect(errors).toMatchObject([
    { reason: 'PERMISSION_MISSING', message: 'the control plane answered permission_denied (PERMISSION_MISSING)' },
  ])
  expect(await total()).toBe(0)
})

test('what it holds is bounded: of more different statements it keeps the first thousand and counts the others', async () => {
  await using reporter = reporterWith()
  for (let n = 0; n < 3_000; n += 1) reporter.add(seen({ statement: `SELECT c${n} FROM orders` }))
  await reporter.flush()
  expect(await listed()).toHaveLength(1_000)
  expect(errors).toMatchObject([{ message: '2000 more violations were not held one by one' }])
})

test('a source that is no name of a service is refused', () => {
  for (const name of ['', 'tenure', 'Orders', 'a b']) {
    expect(() => reporterWith({ source: name })).toThrow('the name of this service')
  }
})

test('a key as the documentation says to make it reports, and can do nothing else', async () => {
  const account = { roles: ['roles/platform.admin'] }
  await tenure
    .client(ServiceAccountService)
    .createServiceAccount({ serviceAccountId: 'orders-reports', serviceAccount: account })
  const owner = { case: 'serviceAccount' as const, value: 'serviceAccounts/orders-reports' }
  const apiKey = { owner, permissions: ['diagnostics.reportViolations'] }
  const { secret } = await tenure.client(ApiKeyService).createApiKey({ apiKey })
  const controlPlane = createControlPlane({ url: tenure.httpUrl, apiKey: secret })
  {
    await using reporter = reporterWith({ controlPlane })
    reporter.add(seen())
  }
  expect(errors).toEqual([])
  expect(await total()).toBe(1)
  const others = ['DiagnosticsService/ListGuardViolations', 'TenantService/ListTenants', 'ApiKeyService/ListApiKeys']
  for (const method of others) {
    await expect(controlPlane.call(method, {})).rejects.toMatchObject({ reason: 'PERMISSION_MISSING' })
  }
})
