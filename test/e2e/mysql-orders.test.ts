import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { signTenantToken } from '../../src/jwt/sign-tenant-token.ts'
import type { SigningKey } from '../../src/jwt/signing-key.ts'
import type { TenantTokenClaims } from '../../src/jwt/tenant-token-claims.ts'
import { queryMysql } from '../rigs/mysql/mysql-account.ts'
import {
  type ChildOrders,
  compileOrders,
  installOrders,
  ordersEnvironment,
  spawnOrders,
  startOrders,
} from '../support/child-orders.ts'
import { type JwksHost, jwksAnswer, startJwksHost } from '../support/jwks-host.ts'
import { askOrders, inProd, outcome, type Sent } from '../support/orders-client.ts'
import { acme, testIssuer, testSigningKey, tokenClaims } from '../support/tenant-token.ts'
import { mysqlAdministrator } from '../support/test-database.ts'

// The example as a newcomer starts it: its own packages, its own process, its own database, tokens of a real key.

const globex = { tid: '01890000-0000-7000-8000-00000000000b', prod: '01890000-0000-7000-8000-0000000000b1' }
// A name of its own for each run: a MySQL that outlives the run has the rows of the last one.
const run = `orders_${randomUUID().slice(0, 8)}`
const account = { database: run, user: run, password: 'of the/tests' }

let jwks: JwksHost
let signing: SigningKey
let env: NodeJS.ProcessEnv
let service: ChildOrders

beforeAll(async () => {
  installOrders()
  const { made, key } = await testSigningKey(9)
  signing = key
  jwks = await startJwksHost(jwksAnswer(made.publicJwk))
  await createDatabase()
  const { host, port } = mysqlAdministrator()
  const password = encodeURIComponent(account.password)
  env = ordersEnvironment({
    ORDERS_DATABASE_URL: `mysql://${account.user}:${password}@${host}:${port}/${account.database}`,
    ORDERS_ISSUER: testIssuer,
    ORDERS_JWKS_URL: jwks.url,
  })
  service = await startOrders(env)
}, 120_000)

afterAll(async () => {
  await service?.[Symbol.asyncDispose]()
  await jwks?.[Symbol.asyncDispose]()
})

/** With the account and the rights the README tells an operator to give, and no more. */
async function createDatabase(): Promise<void> {
  const { database, user, password } = account
  const administrator = mysqlAdministrator()
  await queryMysql(administrator, 'CREATE DATABASE ??', [database])
  await queryMysql(administrator, "CREATE USER ?@'%' IDENTIFIED BY ?", [user, password])
  await queryMysql(administrator, "GRANT SELECT, INSERT, CREATE ON ??.* TO ?@'%'", [database, user])
}

function tokenOf(changes: Partial<TenantTokenClaims> = {}): Promise<string> {
  const now = Math.floor(Date.now() / 1_000)
  return signTenantToken(tokenClaims({ iat: now, nbf: now, exp: now + 600, ...changes }), signing)
}

const tokenOfGlobex = () =>
  tokenOf({
    ...{ tid: globex.tid, tenant: 'globex', sub: 'tenants/globex/users/bob' },
    workspaces: [{ id: globex.prod, slug: 'prod', epoch: 1, permissions: ['orders.read', 'orders.write'] }],
  })

const ask = (path: string, sent: Sent) => askOrders(service, path, sent)
const widget = { item: 'widget', quantity: 3 }

describe('a token of acme opens the orders of its workspace', () => {
  test('an order made in acme/prod is there by its id and in the list, with who made it', async () => {
    const token = await tokenOf()
    const made = await ask('/orders', { token, body: widget })
    expect([made.status, made.json]).toMatchObject([201, { ...widget, created_by: 'tenants/acme/users/alice' }])
    const id = made.json.order_id
    expect((await ask(`/orders/${id}`, { token })).json).toEqual(made.json)
    expect((await ask('/orders?page_size=200', { token })).json.orders).toContainEqual(made.json)
    const byUid = await ask(`/workspaces/prod/orders/${id}`, { token, headers: ['x-workspace-id', acme.prod] })
    expect(byUid.json).toEqual(made.json)
    const [row] = (await queryMysql(mysqlAdministrator(), 'SELECT * FROM ??.orders WHERE order_id = ?', [
      account.database,
      id,
    ])) as readonly Record<string, unknown>[]
    expect(row).toMatchObject({ tenant_id: acme.tid, workspace_id: acme.prod })
  })

  test('pages hold every order once, and the last says so', async () => {
    const sub = 'tenants/acme/users/carol'
    const workspaces = [
      {
        id: '01890000-0000-7000-8000-0000000000a9',
        slug: 'pages',
        epoch: 1,
        permissions: ['orders.read', 'orders.write'],
      },
    ]
    const token = await tokenOf({ sub, workspaces })
    const headers = ['x-workspace-id', 'pages']
    for (let quantity = 1; quantity <= 5; quantity += 1) {
      await ask('/orders', { token, headers, body: { item: 'page', quantity } })
    }
    const seen: unknown[] = []
    const sizes: number[] = []
    for (let pageToken = ''; sizes.length < 5; ) {
      const path = `/orders?page_size=2${pageToken === '' ? '' : `&page_token=${pageToken}`}`
      const { json } = await ask(path, { token, headers })
      const orders = json.orders as readonly { readonly quantity: number }[]
      sizes.push(orders.length)
      seen.push(...orders.map(({ quantity }) => quantity))
      pageToken = String(json.next_page_token)
      if (pageToken === '') break
    }
    expect(sizes).toEqual([2, 2, 1])
    expect(seen.toSorted()).toEqual([1, 2, 3, 4, 5])
  })
})

describe('nobody reaches what lies elsewhere', () => {
  test('globex, with a workspace of the same slug, sees nothing of acme: no list, and no difference between foreign and unknown', async () => {
    const made = await ask('/orders', { token: await tokenOf(), body: widget })
    const token = await tokenOfGlobex()
    expect((await ask('/orders', { token })).json).toEqual({ orders: [], next_page_token: '' })
    const foreign = await ask(`/orders/${made.json.order_id}`, { token })
    const unknown = await ask('/orders/01890000-0000-7000-8000-00000000dead', { token })
    const nonsense = await ask("/orders/'%20OR%201=1", { token })
    expect(outcome(foreign)).toEqual([404, 'NOT_FOUND'])
    expect([unknown.status, unknown.text]).toEqual([404, foreign.text])
    expect([nonsense.status, nonsense.text]).toEqual([404, foreign.text])
    const after = await ask(`/orders?page_token=${acme.tid}`, { token })
    expect(after.json.orders).toEqual([])
  })

  test('a workspace alone opens nothing: its uid under another tenant is another place', async () => {
    const made = await ask('/orders', { token: await tokenOf(), body: widget })
    const workspaces = tokenClaims().workspaces
    const token = await tokenOf({ tid: globex.tid, tenant: 'globex', sub: 'tenants/globex/users/bob', workspaces })
    expect((await ask('/orders', { token })).json.orders).toEqual([])
    expect(outcome(await ask(`/orders/${made.json.order_id}`, { token }))).toEqual([404, 'NOT_FOUND'])
  })

  test('another workspace of the same tenant has its own orders', async () => {
    const token = await tokenOf()
    const made = await ask('/orders', { token, body: widget })
    const elsewhere = await ask(`/orders/${made.json.order_id}`, { token, headers: ['x-workspace-id', 'staging'] })
    expect(outcome(elsewhere)).toEqual([404, 'NOT_FOUND'])
  })

  test('tenant and workspace come from the token, whatever the body says', async () => {
    const token = await tokenOf()
    for (const field of ['tenant_id', 'workspace_id', 'tenantId', 'order_id', 'created_by', '__proto__x']) {
      const body = { ...widget, [field]: globex.tid }
      expect(outcome(await ask('/orders', { token, body }))).toEqual([400, 'INVALID_REQUEST'])
    }
    const hidden = await ask('/orders', { token, body: '{"item":"x","quantity":1,"__proto__":{"tenantId":"x"}}' })
    expect(outcome(hidden)).toEqual([400, 'INVALID_REQUEST'])
  })

  test('what may be done in one workspace may not be done in another', async () => {
    const token = await tokenOf()
    const headers = ['x-workspace-id', 'staging']
    expect((await ask('/orders', { token, headers })).status).toBe(200)
    expect(outcome(await ask('/orders', { token, headers, body: widget }))).toEqual([403, 'PERMISSION_MISSING'])
  })

  test.each<readonly [string, readonly string[], string, readonly [number, string]]>([
    ['another workspace', ['x-workspace-id', 'team-b'], '/orders', [403, 'WORKSPACE_NOT_IN_TOKEN']],
    ['a workspace of globex by uid', ['x-workspace-id', globex.prod], '/orders', [403, 'WORKSPACE_NOT_IN_TOKEN']],
    ['no workspace', [], '/orders', [400, 'WORKSPACE_MISSING']],
    ['two workspaces', [...inProd, 'x-workspace-id', 'staging'], '/orders', [400, 'WORKSPACE_REPEATED']],
    ['two in one', ['x-workspace-id', 'prod,staging'], '/orders', [400, 'WORKSPACE_REPEATED']],
    ['one here and another there', inProd, '/workspaces/staging/orders', [400, 'WORKSPACE_MISMATCH']],
  ])('%s', async (_name, headers, path, expected) => {
    expect(outcome(await ask(path, { token: await tokenOf(), headers }))).toEqual(expected)
  })
})

describe('a token that is not good opens nothing', () => {
  const now = Math.floor(Date.now() / 1_000)
  const other = async () =>
    signTenantToken(tokenClaims({ iat: now, nbf: now, exp: now + 60 }), (await testSigningKey(10)).key)
  const tampered = async () => {
    const [header, payload = '', signature] = (await tokenOf()).split('.')
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString())
    const changed = Buffer.from(JSON.stringify({ ...claims, tid: globex.tid })).toString('base64url')
    return `${header}.${changed}.${signature}`
  }
  test.each<readonly [string, () => Promise<string>, string]>([
    ['expired', () => tokenOf({ iat: now - 900, nbf: now - 900, exp: now - 60 }), 'EXPIRED'],
    ['of tomorrow', () => tokenOf({ iat: now + 86_400, nbf: now + 86_400, exp: now + 90_000 }), 'NOT_YET_VALID'],
    ['for another service', () => tokenOf({ aud: ['billing'] }), 'WRONG_AUDIENCE'],
    ['of another issuer', () => tokenOf({ iss: 'http://127.0.0.1:9999' }), 'WRONG_ISSUER'],
    ['of a key nobody published', other, 'UNKNOWN_KEY'],
    ['changed', tampered, 'BAD_SIGNATURE'],
    ['with padding', async () => `${await tokenOf()}=`, 'MALFORMED'],
  ])('%s', async (_name, make, reason) => {
    expect(outcome(await ask('/orders', { token: await make() }))).toEqual([401, reason])
  })

  test('none', async () => {
    expect(outcome(await ask('/orders', {}))).toEqual([401, 'TOKEN_MISSING'])
  })
})

describe('what is no order is refused in words', () => {
  test.each<readonly [string, Sent, readonly [number, string]]>([
    ['no JSON', { body: '{"item":' }, [400, 'INVALID_REQUEST']],
    ['a list', { body: [] }, [400, 'INVALID_REQUEST']],
    ['no item', { body: { quantity: 1 } }, [400, 'INVALID_REQUEST']],
    ['an item of two lines', { body: { item: 'a\nb', quantity: 1 } }, [400, 'INVALID_REQUEST']],
    ['half a quantity', { body: { item: 'a', quantity: 0.5 } }, [400, 'INVALID_REQUEST']],
    ['a quantity in quotes', { body: { item: 'a', quantity: '1' } }, [400, 'INVALID_REQUEST']],
    ['a form', { body: 'item=a', headers: [...inProd, 'content-type', 'text/plain'] }, [415, 'UNSUPPORTED_MEDIA_TYPE']],
    ['20 KB', { body: { item: 'a'.repeat(20_000), quantity: 1 } }, [413, 'BODY_TOO_LARGE']],
    ['another method', { method: 'DELETE' }, [405, 'METHOD_NOT_ALLOWED']],
  ])('%s', async (_name, sent, expected) => {
    expect(outcome(await ask('/orders', { token: await tokenOf(), ...sent }))).toEqual(expected)
  })

  test.each(['page_size=0', 'page_size=x', 'page_size=-1', 'page_token=x'])('%s', async (query) => {
    expect(outcome(await ask(`/orders?${query}`, { token: await tokenOf() }))).toEqual([400, 'INVALID_REQUEST'])
  })

  test.each(['/', '/order', '/orders/', '/orders/a/b', '/workspaces/prod', '//orders'])('%s', async (path) => {
    expect(outcome(await ask(path, { token: await tokenOf() }))).toEqual([404, 'NOT_FOUND'])
  })
})

test('it compiles against the SDK as it is packed', () => {
  expect(compileOrders()).toBe('')
})

test('keys are fetched once for all of this, and its log holds no token', () => {
  expect(jwks.questions).toBe(1)
  expect(service.log()).not.toMatch(/eyJ/)
})

test('told to stop, it finishes and ends; started again, the orders are there', async () => {
  const token = await tokenOf()
  const made = await ask('/orders', { token, body: widget })
  service.process.kill('SIGTERM')
  const [code] = await once(service.process, 'exit')
  expect(code).toBe(0)
  service = await startOrders(env)
  expect((await ask(`/orders/${made.json.order_id}`, { token })).json).toEqual(made.json)
})

async function refusedStart(changes: Readonly<Record<string, string>>): Promise<string> {
  const child = spawnOrders({ ...env, ...changes })
  let log = ''
  child.stderr?.on('data', (chunk) => {
    log += String(chunk)
  })
  const [code] = await once(child, 'close')
  expect(code).toBe(1)
  expect(log).not.toMatch(/\n\s+at |of the\/tests|of%20the/)
  return log
}

describe('it does not start, and says why without a password', () => {
  const names = ['ORDERS_ADDRESS', 'ORDERS_DATABASE_URL', 'ORDERS_ISSUER', 'ORDERS_JWKS_URL', 'ORDERS_AUDIENCE']
  test.each(names)('without %s', async (name) => {
    expect(await refusedStart({ [name]: ' ' })).toContain(`Set ${name}.`)
  })

  test.each<readonly [string, string, string]>([
    ['ORDERS_ADDRESS', 'orders', 'has to be <host>:<port>'],
    ['ORDERS_DATABASE_URL', 'postgres://a:of%20the@b/c', 'has to be mysql://'],
    ['ORDERS_DATABASE_URL', 'mysql://a:of%20the@localhost:1/c', 'the database at localhost:1 cannot be used: connect'],
    ['ORDERS_JWKS_URL', 'http://tenure.example/jwks.json', 'jwks has to be https'],
  ])('with %s=%s', async (name, value, words) => {
    expect(await refusedStart({ [name]: value })).toContain(words)
  })
})
