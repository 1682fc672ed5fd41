import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { MembershipService } from '../../src/gen/tenure/v1/membership_service_pb.ts'
import { SecretService } from '../../src/gen/tenure/v1/secret_service_pb.ts'
import { TokenService } from '../../src/gen/tenure/v1/token_service_pb.ts'
import { queryMysql } from '../rigs/mysql/mysql-account.ts'
import { type ChildOrders, installOrders, ordersEnvironment, startOrders } from '../support/child-orders.ts'
import { seedPermissions, seedTenant, type TenantFixture } from '../support/fixture.ts'
import { askOrders, inProd, outcome } from '../support/orders-client.ts'
import { mysqlAdministrator } from '../support/test-database.ts'
import { startTestServer, type TestServer } from '../support/test-server.ts'

// Everything real at once: MySQL, OpenBao, Tenure, and the orders service as its README starts it.

const account = { database: `story_${randomUUID().slice(0, 8)}`, password: 'of-the-tests' }

let server: TestServer
let acme: TenantFixture
let globex: TenantFixture
let orders: ChildOrders

beforeAll(async () => {
  installOrders()
  server = await startTestServer()
  await seedPermissions(server)
  acme = await seedTenant(server, 'acme')
  globex = await seedTenant(server, 'globex')
  for (const { name } of [acme, globex]) {
    const parent = `${name}/workspaces/prod`
    const member = { case: 'user' as const, value: `${name}/users/bob` }
    const membership = { member, roles: ['roles/member'] }
    await server.client(MembershipService).createMembership({ parent, membershipId: 'bob-prod', membership })
  }
  const { host, port } = mysqlAdministrator()
  const { database, password } = account
  await queryMysql(mysqlAdministrator(), 'CREATE DATABASE ??', [database])
  await queryMysql(mysqlAdministrator(), "CREATE USER ?@'%' IDENTIFIED BY ?", [database, password])
  await queryMysql(mysqlAdministrator(), "GRANT SELECT, INSERT, CREATE ON ??.* TO ?@'%'", [database, database])
  orders = await startOrders(
    ordersEnvironment({
      ORDERS_DATABASE_URL: `mysql://${database}:${password}@${host}:${port}/${database}`,
      ORDERS_ISSUER: server.httpUrl,
      ORDERS_JWKS_URL: `${server.httpUrl}/.well-known/jwks.json`,
    }),
  )
}, 120_000)

afterAll(async () => {
  await orders?.[Symbol.asyncDispose]()
  await server?.[Symbol.asyncDispose]()
})

async function tokenOf(user: string, audience = 'orders'): Promise<string> {
  const principal = { kind: { case: 'user' as const, value: user } }
  const parent = user.split('/').slice(0, 2).join('/')
  return (await server.client(TokenService).issueToken({ parent, principal, audience: [audience] })).token
}

const widget = { item: 'widget', quantity: 3 }

test('an order of acme/prod is made and read with a token of a member, and of no other tenant', async () => {
  const token = await tokenOf(acme.bob)
  const made = await askOrders(orders, '/orders', { token, body: widget })
  expect([made.status, made.json]).toMatchObject([201, { ...widget, created_by: acme.bob }])
  expect((await askOrders(orders, '/orders', { token })).json.orders).toEqual([made.json])
  const theirs = await tokenOf(globex.bob)
  expect((await askOrders(orders, '/orders', { token: theirs })).json.orders).toEqual([])
  const foreign = await askOrders(orders, `/orders/${made.json.order_id}`, { token: theirs })
  expect(outcome(foreign)).toEqual([404, 'NOT_FOUND'])
})

test('a token opens what its principal may do: who may read orders may not make one', async () => {
  const token = await tokenOf(acme.alice)
  expect((await askOrders(orders, '/orders', { token })).status).toBe(200)
  expect(outcome(await askOrders(orders, '/orders', { token, body: widget }))).toEqual([403, 'PERMISSION_MISSING'])
})

test.each<readonly [string, readonly string[], string, readonly [number, string]]>([
  ['another workspace of the tenant', ['x-workspace-id', 'test'], '/orders', [403, 'WORKSPACE_NOT_IN_TOKEN']],
  ['no workspace', [], '/orders', [400, 'WORKSPACE_MISSING']],
  ['two workspaces', [...inProd, 'x-workspace-id', 'test'], '/orders', [400, 'WORKSPACE_REPEATED']],
  ['one here and another there', inProd, '/workspaces/test/orders', [400, 'WORKSPACE_MISMATCH']],
])('%s is refused', async (_case, headers, path, expected) => {
  expect(outcome(await askOrders(orders, path, { token: await tokenOf(acme.bob), headers }))).toEqual(expected)
})

test('a token for another service, and one that was changed, are refused', async () => {
  const elsewhere = await tokenOf(acme.bob, 'billing')
  expect(outcome(await askOrders(orders, '/orders', { token: elsewhere }))).toEqual([401, 'WRONG_AUDIENCE'])
  const [header, payload = '', signature] = (await tokenOf(acme.bob)).split('.')
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString())
  const changed = Buffer.from(JSON.stringify({ ...claims, tid: globex.uid })).toString('base64url')
  const token = `${header}.${changed}.${signature}`
  expect(outcome(await askOrders(orders, '/orders', { token }))).toEqual([401, 'BAD_SIGNATURE'])
})

test('who lost the place has no new token', async () => {
  const name = 'tenants/globex/workspaces/prod/memberships/bob-prod'
  await server.client(MembershipService).deleteMembership({ name })
  await expect(tokenOf(globex.bob)).rejects.toThrow(/nothing of that name/)
})

test('a value goes in and out, and stands nowhere in the rows of MySQL', async () => {
  const value = `plain-${randomUUID()}`
  const secrets = server.client(SecretService, acme.ownerKey)
  const parent = 'tenants/acme/workspaces/prod/secrets/database'
  const { secretVersion } = await secrets.addSecretVersion({ parent, payload: Buffer.from(value) })
  const { payload } = await secrets.accessSecretVersion({ name: secretVersion?.name ?? '' })
  expect(Buffer.from(payload).toString()).toBe(value)
  const database = new URL(server.databaseUrl).pathname.slice(1)
  const tables = await queryMysql(
    mysqlAdministrator(),
    'SELECT table_name AS name FROM information_schema.tables WHERE table_schema = ?',
    [database],
  )
  expect(tables.length).toBeGreaterThan(15)
  for (const { name } of tables) {
    for (const row of await queryMysql(mysqlAdministrator(), 'SELECT * FROM ??.??', [database, name])) {
      const cells = Object.values(row).map((cell) => (Buffer.isBuffer(cell) ? cell.toString('latin1') : String(cell)))
      expect(cells.join('\n')).not.toContain(value)
    }
  }
})
