import { createHmac, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { AuditService } from '../../src/gen/tenure/v1/audit_service_pb.ts'
import { DiagnosticsService } from '../../src/gen/tenure/v1/diagnostics_service_pb.ts'
import { GuardViolation_Mode } from '../../src/gen/tenure/v1/guard_violation_pb.ts'
import { seedPermissions, seedTenant, type TenantFixture } from '../support/fixture.ts'
import { reasonOf } from '../support/reason.ts'
import { startTestServer, type TestServer } from '../support/test-server.ts'

const secret = randomBytes(32)
const alerts: { headers: IncomingHttpHeaders; body: string }[] = []
const hook = createServer(async (request, response) => {
  const parts: Buffer[] = []
  for await (const part of request) parts.push(part as Buffer)
  // The first is not taken: an alert is sent again.
  response.statusCode = alerts.length === 0 ? 503 : 204
  alerts.push({ headers: request.headers, body: Buffer.concat(parts).toString() })
  response.end()
})

let server: TestServer
let acme: TenantFixture
let globex: TenantFixture

beforeAll(async () => {
  hook.listen(0, '127.0.0.1')
  await once(hook, 'listening')
  const { port } = hook.address() as AddressInfo
  server = await startTestServer({
    env: {
      TENURE_ALERT_URL: `http://127.0.0.1:${port}/hook`,
      TENURE_ALERT_SECRET: `whsec_${secret.toString('base64')}`,
    },
  })
  await seedPermissions(server)
  acme = await seedTenant(server, 'acme')
  globex = await seedTenant(server, 'globex')
})

afterAll(async () => {
  await server[Symbol.asyncDispose]()
  hook.closeAllConnections()
  hook.close()
})

const diagnostics = (key = server.rootKey) => server.client(DiagnosticsService, key)
const nobody = '00000000-0000-0000-0000-000000000000'

/** What a store that forgot its predicate would do, inside the context of acme. */
async function refusedStatement(): Promise<unknown> {
  const { cell } = server.server.platform.storage
  const binding = { kind: 'tenant', tenantId: acme.uid, workspaceId: nobody, allWorkspaces: false } as const
  return cell
    .read(binding, (manager) => manager.query('SELECT email FROM users WHERE slug = ?', ['alice']))
    .catch((error) => error)
}

async function until<T>(look: () => T | undefined | Promise<T | undefined>): Promise<T> {
  for (let tried = 0; tried < 100; tried += 1) {
    const found = await look()
    if (found !== undefined) return found
    await sleep(100)
  }
  throw new Error('it never came')
}

test('a refused statement is told to the log of violations, the tenant, the metric and the alert hook, with no value of it', async () => {
  expect(String(await refusedStatement())).toMatch(/refused by the tenant guard/)
  await refusedStatement()
  const { guardViolations } = await diagnostics().listGuardViolations({})
  expect(guardViolations).toMatchObject([
    { source: 'tenure', tenantUid: acme.uid, reason: 'unpinned-tenant', mode: GuardViolation_Mode.ENFORCE, count: 2n },
  ])
  expect(guardViolations[0]?.statement).toBe('SELECT email FROM users WHERE slug = ?')
  const { auditEvents } = await server
    .client(AuditService)
    .listAuditEvents({ parent: acme.name, filter: 'event = "guard.refuse"' })
  expect(auditEvents[0]).toMatchObject({ principal: 'tenure', reason: 'unpinned-tenant', outcome: 2 })
  const elsewhere = await server
    .client(AuditService)
    .listAuditEvents({ parent: globex.name, filter: 'event = "guard.refuse"' })
  expect(elsewhere.auditEvents).toEqual([])
  expect(await (await fetch(`${server.httpUrl}/metrics`)).text()).toContain(
    'tenure_guard_refusals_total{rule="unpinned-tenant"} 2',
  )
  const { headers, body } = await until(() => alerts[1])
  expect(JSON.parse(body)).toMatchObject({
    type: 'guard.refused',
    data: { reason: 'unpinned-tenant', tenant_uid: acme.uid },
  })
  const signed = `${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`
  expect(headers['webhook-signature']).toBe(`v1,${createHmac('sha256', secret).update(signed).digest('base64')}`)
  // Sent again under the same id, so that whoever took both knows them for one.
  expect(alerts[0]?.headers['webhook-id']).toBe(headers['webhook-id'])
  expect(body).not.toContain('alice')
})

const seen = (tenantUid: string, statement: string, count = 3n) => ({
  ...{ tenantUid, workspaceUid: '', reason: 'unpinned-tenant', statement, mode: GuardViolation_Mode.REPORT, count },
})

test('what a service reports of its guard is listed under its name, added up, and audited in the tenant concerned', async () => {
  const unknown = '01900000-0000-7000-8000-000000000000'
  const guardViolations = [
    seen(acme.uid, 'SELECT 1 FROM orders'),
    seen(unknown, 'SELECT 2 FROM orders'),
    seen('', 'SELECT 3 FROM orders'),
  ]
  const request = { source: 'orders', guardViolations, requestId: 'report-1' }
  const { revision } = await diagnostics().reportGuardViolations(request)
  expect((await diagnostics().reportGuardViolations(request)).revision).toBe(revision)
  await diagnostics().reportGuardViolations({
    source: 'orders',
    guardViolations: [seen(acme.uid, 'SELECT 1 FROM orders', 4n)],
  })
  const listed = await diagnostics().listGuardViolations({ filter: 'source = "orders"' })
  expect(listed.guardViolations.map(({ statement, count }) => `${statement} ${count}`).sort()).toEqual([
    'SELECT 1 FROM orders 7',
    'SELECT 2 FROM orders 3',
    'SELECT 3 FROM orders 3',
  ])
  const { auditEvents } = await server
    .client(AuditService)
    .listAuditEvents({ parent: acme.name, filter: 'target = "orders"' })
  expect(auditEvents.map(({ event }) => event)).toEqual(['guard.refuse', 'guard.refuse'])
})

test('only the platform reports and lists violations, and never in the name of the server itself', async () => {
  const guardViolations = [seen(acme.uid, 'SELECT 1 FROM orders')]
  expect(await reasonOf(diagnostics(acme.ownerKey).listGuardViolations({}))).toBe('PERMISSION_MISSING')
  expect(await reasonOf(diagnostics(acme.ownerKey).reportGuardViolations({ source: 'orders', guardViolations }))).toBe(
    'PERMISSION_MISSING',
  )
  expect(await reasonOf(diagnostics().reportGuardViolations({ source: 'tenure', guardViolations }))).toBe(
    'INVALID_FIELD',
  )
  expect(await reasonOf(diagnostics().reportGuardViolations({ source: 'orders' }))).toBe('INVALID_FIELD')
  const controls = [seen(acme.uid, 'SELECT \u0007')]
  expect(await reasonOf(diagnostics().reportGuardViolations({ source: 'orders', guardViolations: controls }))).toBe(
    'INVALID_FIELD',
  )
})
