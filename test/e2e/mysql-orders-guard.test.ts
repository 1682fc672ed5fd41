import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ApiKeyService } from '../../src/gen/tenure/v1/api_key_service_pb.ts'
import { DiagnosticsService } from '../../src/gen/tenure/v1/diagnostics_service_pb.ts'
import { GuardViolation_Mode } from '../../src/gen/tenure/v1/guard_violation_pb.ts'
import { MembershipService } from '../../src/gen/tenure/v1/membership_service_pb.ts'
import { ServiceAccountService } from '../../src/gen/tenure/v1/service_account_service_pb.ts'
import { TokenService } from '../../src/gen/tenure/v1/token_service_pb.ts'
import { AccessError } from '../../src/sdk/access-error.ts'
import { contextFromTenureContext } from '../../src/sdk/call-token.ts'
import { createVerifier } from '../../src/sdk/verifier.ts'
import { queryMysql } from '../rigs/mysql/mysql-account.ts'
import {
  type ChildOrders,
  installOrders,
  ordersEnvironment,
  spawnOrders,
  startOrders,
} from '../support/child-orders.ts'
import { seedPermissions, seedTenant, type TenantFixture } from '../support/fixture.ts'
import { askOrders, outcome } from '../support/orders-client.ts'
import { mysqlAdministrator } from '../support/test-database.ts'
import { startTestServer, type TestServer } from '../support/test-server.ts'

// The orders example with its one query that names no tenant, once behind a guard that refuses and once behind one that
// reports; with the real control plane, and a stock service it calls.

const account = { database: `guarded_${randomUUID().slice(0, 8)}`, password: 'of-the-tests' }
const widget = { item: 'widget', quantity: 3 }

let tenure: TestServer
let acme: TenantFixture
let globex: TenantFixture
let reportKey: string
let callKey: string
let stock: Server
let stockUrl: string
/** What the stock service learnt of its calls. */
const reservations: Record<string, unknown>[] = []
let stockLeft = true
let enforcing: ChildOrders
let reporting: ChildOrders

function environment(changes: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  const { host, port } = mysqlAdministrator()
  return ordersEnvironment({
    ORDERS_DATABASE_URL: `mysql://${account.database}:${account.password}@${host}:${port}/${account.database}`,
    ORDERS_ISSUER: tenure.httpUrl,
    ORDERS_JWKS_URL: `${tenure.httpUrl}/.well-known/jwks.json`,
    ORDERS_TENURE_URL: tenure.httpUrl,
    ORDERS_REPORT_KEY: reportKey,
    ORDERS_CALL_KEY: callKey,
    ORDERS_STOCK_URL: stockUrl,
    ORDERS_UNSCOPED_REPORT: '1',
    ...changes,
  })
}

async function keyOf(account: string, permissions: readonly string[] = []): Promise<string> {
  const owner = { case: 'serviceAccount' as const, value: account }
  const apiKey = { owner, permissions: [...permissions] }
  return (await tenure.client(ApiKeyService).createApiKey({ apiKey })).secret
}

async function startStock(): Promise<void> {
  const jwks = `${tenure.httpUrl}/.well-known/jwks.json`
  const verifier = createVerifier({ issuer: tenure.httpUrl, audience: 'stock', jwks })
  stock = createServer((request, response) => {
    contextFromTenureContext(request, { verifier }).then(
      ({ principal, actor, tenantSlug, workspaceSlug, permissions }) => {
        reservations.push({ principal, actor, tenantSlug, workspaceSlug, permissions })
        response.writeHead(stockLeft ? 204 : 409).end()
      },
      (error: unknown) => response.writeHead(error instanceof AccessError ? error.httpStatus : 500).end(),
    )
  }).listen(0, '127.0.0.1')
  await once(stock, 'listening')
  stockUrl = `http://127.0.0.1:${(stock.address() as AddressInfo).port}`
}

beforeAll(async () => {
  installOrders()
  tenure = await startTestServer()
  await seedPermissions(tenure)
  acme = await seedTenant(tenure, 'acme')
  globex = await seedTenant(tenure, 'globex')
  for (const { name } of [acme, globex]) {
    const member = { case: 'user' as const, value: `${name}/users/bob` }
    const membership = { member, roles: ['roles/member'] }
    const parent = `${name}/workspaces/prod`
    await tenure.client(MembershipService).createMembership({ parent, membershipId: 'bob-prod', membership })
  }
  reportKey = await keyOf('serviceAccounts/root', ['diagnostics.reportViolations'])
  // It holds everything its users hold, as whoever acts in their names has to.
  const serviceAccount = { roles: ['roles/owner'] }
  await tenure.client(ServiceAccountService).createServiceAccount({ serviceAccountId: 'orders', serviceAccount })
  callKey = await keyOf('serviceAccounts/orders')
  const { database, password } = account
  await queryMysql(mysqlAdministrator(), 'CREATE DATABASE ??', [database])
  await queryMysql(mysqlAdministrator(), "CREATE USER ?@'%' IDENTIFIED BY ?", [database, password])
  await queryMysql(mysqlAdministrator(), "GRANT SELECT, INSERT, CREATE ON ??.* TO ?@'%'", [database, database])
  await startStock()
  enforcing = await startOrders(environment())
  reporting = await startOrders(environment({ ORDERS_GUARD_MODE: 'report' }))
}, 120_000)

afterAll(async () => {
  await enforcing?.[Symbol.asyncDispose]()
  await reporting?.[Symbol.asyncDispose]()
  stock?.close()
  await tenure?.[Symbol.asyncDispose]()
})

async function tokenOf({ name }: TenantFixture): Promise<string> {
  const principal = { kind: { case: 'user' as const, value: `${name}/users/bob` } }
  return (await tenure.client(TokenService).issueToken({ parent: name, principal, audience: ['orders'] })).token
}

async function orderOf(tenant: TenantFixture, service: ChildOrders): Promise<unknown> {
  const made = await askOrders(service, '/orders', { token: await tokenOf(tenant), body: widget })
  expect(made.status).toBe(201)
  return made.json.order_id
}

async function reported() {
  const filter = 'source = "orders"'
  const { guardViolations } = await tenure.client(DiagnosticsService).listGuardViolations({ filter })
  return guardViolations.map(({ reason, statement, mode, count, tenantUid, workspaceUid }) => {
    return { reason, statement, mode, count: Number(count), tenantUid, hasWorkspace: workspaceUid !== '' }
  })
}

const forgotten = 'SELECT order_id FROM orders ORDER BY order_id LIMIT 100'

describe('the query that names no tenant', () => {
  test('is refused by a guard that enforces: nothing comes back, and nobody is told why but the log', async () => {
    const foreign = await orderOf(globex, enforcing)
    const token = await tokenOf(acme)
    const answer = await askOrders(enforcing, '/orders/all', { token })
    expect(outcome(answer)).toEqual([500, 'INTERNAL'])
    expect(answer.text).not.toContain(String(foreign))
    expect(answer.text).not.toMatch(/guard|tenant|SELECT|orders/)
    expect(enforcing.log()).toContain('statement refused by the tenant guard: unpinned-tenant')
    expect(enforcing.log()).toContain(`guard enforce: unpinned-tenant tenant_uid=${acme.uid}`)
    expect((await askOrders(enforcing, '/orders', { token })).status).toBe(200)
  })

  test('runs behind a guard that reports, which lists it: in the log, and at the control plane', async () => {
    const foreign = await orderOf(globex, reporting)
    const token = await tokenOf(acme)
    for (let n = 0; n < 12; n += 1) {
      const answer = await askOrders(reporting, '/orders/all', { token })
      expect([answer.status, answer.json.order_ids]).toEqual([200, expect.arrayContaining([foreign])])
    }
    const lines = reporting.log().split('\n')
    const told = lines.filter((line) => line.includes('guard report: unpinned-tenant'))
    expect(told.map((line) => /seen=(\d+): (.*)$/.exec(line)?.slice(1))).toEqual([
      ['1', forgotten],
      ['10', forgotten],
    ])
    const mine = { reason: 'unpinned-tenant', statement: forgotten, tenantUid: acme.uid, hasWorkspace: true }
    // What is held goes at the latest when the service ends.
    for (const service of [reporting, enforcing]) {
      service.process.kill('SIGTERM')
      await once(service.process, 'exit')
    }
    expect(await reported()).toEqual(
      expect.arrayContaining([
        { ...mine, mode: GuardViolation_Mode.REPORT, count: 12 },
        { ...mine, mode: GuardViolation_Mode.ENFORCE, count: 1 },
      ]),
    )
    expect(await reported()).toHaveLength(2)
  })

  test('is not there at all without its flag', async () => {
    await using service = await startOrders(environment({ ORDERS_UNSCOPED_REPORT: '0' }))
    expect(outcome(await askOrders(service, '/orders/all', { token: await tokenOf(acme) }))).toEqual([404, 'NOT_FOUND'])
  })
})

test('the call to the stock service says who orders and where, and a token of somebody cannot be put in its place', async () => {
  await using service = await startOrders(environment())
  reservations.length = 0
  await orderOf(acme, service)
  expect(reservations).toEqual([
    {
      ...{
        principal: 'tenants/acme/users/bob',
        actor: 'serviceAccounts/orders',
        tenantSlug: 'acme',
        workspaceSlug: 'prod',
      },
      permissions: ['orders.read', 'orders.write'],
    },
  ])
  stockLeft = false
  const empty = await askOrders(service, '/orders', { token: await tokenOf(acme), body: widget })
  stockLeft = true
  expect(outcome(empty)).toEqual([409, 'OUT_OF_STOCK'])
  const direct = await fetch(`${stockUrl}/reservations`, { headers: { 'tenure-context': await tokenOf(acme) } })
  expect(direct.status).toBe(401)
})

test('an order remembered for one tenant is nobody else’s, and every line of the log says whose it is', async () => {
  await using service = await startOrders(environment())
  const id = await orderOf(acme, service)
  for (const _ of [1, 2]) {
    expect((await askOrders(service, `/orders/${id}`, { token: await tokenOf(acme) })).status).toBe(200)
    const foreign = await askOrders(service, `/orders/${id}`, { token: await tokenOf(globex) })
    expect(outcome(foreign)).toEqual([404, 'NOT_FOUND'])
  }
  const lines = service
    .log()
    .split('\n')
    .filter((line) => / (?:GET|POST) /.test(line))
  expect(lines.length).toBeGreaterThan(2)
  for (const line of lines)
    expect(line).toMatch(/\[tenant=(acme|globex) tenant_uid=\S{36} workspace=prod workspace_uid=\S{36}\]/)
})

describe('it does not start', () => {
  test.each([
    [{ ORDERS_GUARD_MODE: 'off' }, 'ORDERS_GUARD_MODE has to be enforce or report.'],
    [{ ORDERS_CALL_KEY: '' }, 'Set ORDERS_STOCK_URL and ORDERS_CALL_KEY, or neither'],
    [{ ORDERS_TENURE_URL: '' }, 'Set ORDERS_TENURE_URL with the keys.'],
    [{ ORDERS_TENURE_URL: 'http://tenure.example' }, 'createControlPlane: url has to be https'],
  ])('with %o', async (changes, words) => {
    const child = spawnOrders(environment(changes as Readonly<Record<string, string>>))
    let log = ''
    child.stderr?.on('data', (chunk) => {
      log += String(chunk)
    })
    const [code] = await once(child, 'close')
    expect([code, log]).toEqual([1, expect.stringContaining(words)])
    for (const key of [reportKey, callKey]) expect(log).not.toContain(key)
  })
})
