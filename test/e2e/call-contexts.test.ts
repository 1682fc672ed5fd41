import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createClient } from '@connectrpc/connect'
import { createConnectTransport } from '@connectrpc/connect-node'
import { Metadata } from '@grpc/grpc-js'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Clock, systemClock } from '../../src/base/clock.ts'
import { AccessService } from '../../src/gen/tenure/v1/access_service_pb.ts'
import { ApiKeyService } from '../../src/gen/tenure/v1/api_key_service_pb.ts'
import { TokenService } from '../../src/gen/tenure/v1/token_service_pb.ts'
import { WorkspaceService } from '../../src/gen/tenure/v1/workspace_service_pb.ts'
import { AccessError } from '../../src/sdk/access-error.ts'
import { type CallContextsOptions, createCallContexts } from '../../src/sdk/call-contexts.ts'
import { contextFromTenureContext } from '../../src/sdk/call-token.ts'
import { createControlPlane } from '../../src/sdk/control-plane.ts'
import type { TenantContext } from '../../src/sdk/tenant-context.ts'
import { contextOf } from '../../src/sdk/verified-token.ts'
import { createVerifier, type Verifier } from '../../src/sdk/verifier.ts'
import { seedPermissions, seedTenant } from '../support/fixture.ts'
import { startTestServer, type TestServer } from '../support/test-server.ts'

// A request of alice at one service goes on to another, `billing`: with a token of the control plane, for that call alone.

let aheadMs = 0
const clock: Clock = { nowMs: () => Date.now() + aheadMs, monotonicMs: () => systemClock.monotonicMs() }

let tenure: TestServer
let serviceKey: string
let keyName: string
const servers: Server[] = []

beforeAll(async () => {
  tenure = await startTestServer({ clock })
  await seedPermissions(tenure)
  await seedTenant(tenure, 'acme')
  const { apiKey, secret } = await tenure.client(ApiKeyService).createApiKey({
    apiKey: {
      owner: { case: 'serviceAccount', value: 'serviceAccounts/root' },
      permissions: ['tokens.issue', 'tokens.impersonate', 'orders.read'],
    },
  })
  serviceKey = secret
  keyName = apiKey?.name ?? ''
})
afterAll(async () => {
  for (const server of servers) server.close()
  await tenure?.[Symbol.asyncDispose]()
})

const verifierOf = (audience: string): Verifier =>
  createVerifier({ issuer: tenure.httpUrl, audience, jwks: `${tenure.httpUrl}/.well-known/jwks.json`, clock })

/** What alice's own token for the first service says of `prod`. */
async function aliceAtOrders(ttlSeconds = 300): Promise<TenantContext> {
  const { token } = await tenure.client(TokenService).issueToken({
    parent: 'tenants/acme',
    principal: { kind: { case: 'user', value: 'tenants/acme/users/alice' } },
    audience: ['orders'],
    ttl: { seconds: BigInt(ttlSeconds) },
  })
  return contextOf(await verifierOf('orders').verify(token), 'prod')
}

let asked = 0
const counting: typeof fetch = (url, init) => {
  asked += 1
  return fetch(url, init)
}

function callContexts(changes: Partial<CallContextsOptions> = {}) {
  const controlPlane = createControlPlane({ url: tenure.httpUrl, apiKey: serviceKey, fetch: counting })
  return createCallContexts({ controlPlane, audience: 'billing', clock, ...changes })
}

async function listen(handle: RequestListener): Promise<string> {
  const server = createServer(handle).listen(0, '127.0.0.1')
  servers.push(server)
  await once(server, 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** The other service: says whom a call is for, or why it does not take it. */
function listenBilling(): Promise<string> {
  const verifier = verifierOf('billing')
  return listen((request, response) => {
    contextFromTenureContext(request, { verifier }).then(
      ({ principal, actor, workspaceSlug, permissions }) =>
        response.end(JSON.stringify({ principal, actor, workspaceSlug, permissions })),
      (error: unknown) => response.end(error instanceof AccessError ? error.reason : String(error)),
    )
  })
}

async function reasonOf(work: () => Promise<unknown>): Promise<string> {
  try {
    await work()
    return 'OK'
  } catch (error) {
    return error instanceof AccessError ? error.reason : String(error)
  }
}

const forAlice = {
  principal: 'tenants/acme/users/alice',
  actor: 'serviceAccounts/root',
  workspaceSlug: 'prod',
  permissions: ['orders.read'],
}

test('a call carries who asks, where and with what power, over fetch, Connect and gRPC', async () => {
  const origin = await listenBilling()
  const contexts = callContexts({ origin })
  const alice = await aliceAtOrders()
  const answer = await contexts.fetchFor(alice)(`${origin}/bills`, { headers: { 'tenure-context': 'of a client' } })
  expect(await answer.json()).toEqual(forAlice)

  let seen: string | undefined
  const baseUrl = await listen((request, response) => {
    seen = request.headers['tenure-context'] as string
    response.writeHead(404).end()
  })
  const interceptors = [contexts.interceptorFor(alice)]
  const transport = createConnectTransport({ baseUrl, httpVersion: '1.1', interceptors: interceptors as never })
  await createClient(AccessService, transport)
    .getCaller({})
    .catch(() => undefined)
  const verifier = verifierOf('billing')
  expect(await contextFromTenureContext(String(seen), { verifier })).toMatchObject(forAlice)

  const metadata = await contexts.addTo(new Metadata(), alice)
  expect(await contextFromTenureContext(String(metadata.get('tenure-context')[0]), { verifier })).toMatchObject(
    forAlice,
  )
})

test('its token is for one audience and one workspace, and lives a minute, or as long as the request itself', async () => {
  const verifier = verifierOf('billing')
  const claimsOf = async (context: TenantContext) =>
    (await verifier.verify(await callContexts().tokenFor(context))).claims
  const long = await claimsOf(await aliceAtOrders())
  expect([long.aud, long.workspaces.map(({ slug }) => slug), long.permissions]).toEqual([['billing'], ['prod'], []])
  expect(long.exp - long.iat).toBe(60)
  const short = await aliceAtOrders(20)
  expect((await claimsOf(short)).exp * 1_000).toBeLessThanOrEqual(short.expireTimeMs)
})

test('one token serves many calls until a quarter of a minute before its end, and is asked for once', async () => {
  const contexts = callContexts()
  const alice = await aliceAtOrders()
  asked = 0
  const tokens = await Promise.all(Array.from({ length: 50 }, () => contexts.tokenFor(alice)))
  expect([new Set(tokens).size, asked]).toEqual([1, 1])
  aheadMs += 40_000
  expect([await contexts.tokenFor(alice), asked]).toEqual([tokens[0], 1])
  aheadMs += 10_000
  expect(await contexts.tokenFor(alice)).not.toBe(tokens[0])
  expect(asked).toBe(2)
  const another = await aliceAtOrders()
  await contexts.tokenFor(another)
  expect(asked).toBe(3)
})

test('it never says more than the request may do', async () => {
  const alice = await aliceAtOrders()
  const powerless: TenantContext = { ...alice, permissions: [], has: () => false }
  asked = 0
  expect(await reasonOf(() => callContexts().tokenFor(powerless))).toBe('PERMISSION_MISSING')
  expect(await reasonOf(() => callContexts({ permissions: ['orders.write'] }).tokenFor(alice))).toBe(
    'PERMISSION_MISSING',
  )
  expect(await reasonOf(() => callContexts().tokenFor({ ...alice, expireTimeMs: clock.nowMs() }))).toBe('EXPIRED')
  expect(asked).toBe(0)
})

test('the other service takes nothing else for the context of a call', async () => {
  const verifier = verifierOf('billing')
  const alice = await aliceAtOrders()
  const issue = async (request: object) =>
    (
      await tenure.client(TokenService).issueToken({
        ...{ parent: 'tenants/acme/workspaces/prod', audience: ['billing'], ttl: { seconds: 60n } },
        principal: { kind: { case: 'user', value: 'tenants/acme/users/alice' } },
        ...request,
      })
    ).token
  const good = await callContexts().tokenFor(alice)
  const reasonFor = (value: string | readonly string[]) =>
    reasonOf(() => contextFromTenureContext({ headers: { 'tenure-context': value } }, { verifier }))
  const owner = { kind: { case: 'serviceAccount', value: 'tenants/acme/serviceAccounts/owner-bot' } }
  const workspaces = await tenure.client(WorkspaceService).listWorkspaces({ parent: 'tenants/acme' })
  expect(workspaces.workspaces.length).toBeGreaterThan(1)
  expect(await reasonFor(good)).toBe('OK')
  expect(await reasonFor(await issue({}))).toBe('OK')
  expect(await reasonFor(await issue({ ttl: { seconds: 61n } }))).toBe('CONTEXT_UNFIT')
  expect(await reasonFor(await issue({ audience: ['billing', 'mail'] }))).toBe('CONTEXT_UNFIT')
  expect(await reasonFor(await issue({ parent: 'tenants/acme', principal: owner }))).toBe('CONTEXT_UNFIT')
  expect(await reasonFor(await callContexts({ audience: 'mail' }).tokenFor(alice))).toBe('WRONG_AUDIENCE')
  expect(await reasonFor('tenant=acme,workspace=prod,user=alice')).toBe('MALFORMED')
  expect(await reasonFor([good, good])).toBe('CONTEXT_REPEATED')
  expect(await reasonFor('')).toBe('CONTEXT_MISSING')
})

test('a context goes to the origin it is for and nowhere else, not even by a redirect', async () => {
  let elsewhere = 0
  const other = await listen((_request, response) => {
    elsewhere += 1
    response.end()
  })
  const origin = await listen((_request, response) => response.writeHead(307, { location: other }).end())
  const contexts = callContexts({ origin })
  const alice = await aliceAtOrders()
  await expect(contexts.fetchFor(alice)(`${other}/`, {})).rejects.toThrow('the origin it is for')
  await expect(contexts.fetchFor(alice)(`${origin}/`, {})).rejects.toThrow()
  await expect(callContexts().fetchFor(alice)(`${origin}/`, {})).rejects.toThrow('needs the origin')
  expect(elsewhere).toBe(0)
})

test('a control plane that is away is said to be, a key that may not is refused, and no call goes without its context', async () => {
  const alice = await aliceAtOrders()
  const away = createControlPlane({ url: 'http://127.0.0.1:9', apiKey: serviceKey })
  const failed = await callContexts({ controlPlane: away })
    .tokenFor(alice)
    .catch((error: unknown) => error)
  expect(failed).toMatchObject({ reason: 'CONTEXT_UNAVAILABLE', httpStatus: 503 })
  await tenure.client(ApiKeyService).revokeApiKey({ name: keyName })
  expect(await reasonOf(() => callContexts().tokenFor(alice))).toBe('CONTEXT_REFUSED')
})
