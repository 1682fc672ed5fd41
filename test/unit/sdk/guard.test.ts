import { once } from 'node:events'
import { createServer, type IncomingMessage, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, test } from 'vitest'
import { signTenantToken } from '../../../src/jwt/sign-tenant-token.ts'
import { authenticate, requirePermission } from '../../../src/sdk/authenticate.ts'
import { contextFrom, type Guard, tenantContextFrom, tenantGuard, workspaceGuard } from '../../../src/sdk/guard.ts'
import { contextOf, tenantLevelContextOf } from '../../../src/sdk/verified-token.ts'
import { createVerifier, type VerifierOptions } from '../../../src/sdk/verifier.ts'
import { acme, testAudience, testIssuer, testSigningKey, tokenClaims } from '../../support/tenant-token.ts'
import { testClock } from './test-clock.ts'

const { made, key } = await testSigningKey()
const good = await signTenantToken(tokenClaims(), key)
const bearer = `Bearer ${good}`

function verifierWith(changes: Partial<VerifierOptions> = {}) {
  const jwks = { keys: [made.publicJwk] }
  return createVerifier({ issuer: testIssuer, audience: testAudience, jwks, clock: testClock(), ...changes })
}

const verifier = verifierWith()
const verified = await verifier.verify(good)

interface Answered {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

/** One request through a real node:http server behind `guard`; answers what `handle` says of it. */
async function ask(
  guard: Guard,
  headers: readonly string[],
  handle: (request: IncomingMessage) => unknown = (incoming) => contextFrom(incoming),
  path = '/',
): Promise<Answered> {
  const server = createServer((incoming, response) => {
    void guard(incoming, response, (error) => {
      if (error === undefined) response.end(JSON.stringify(handle(incoming)))
      else response.writeHead(500).end(String(error))
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  try {
    const { port } = server.address() as AddressInfo
    const outgoing = request({ host: '127.0.0.1', port, path, headers: ['host', 'localhost', ...headers] })
    outgoing.end()
    const [response] = (await once(outgoing, 'response')) as [IncomingMessage]
    const chunks: Buffer[] = []
    for await (const chunk of response) chunks.push(chunk as Buffer)
    return { status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks).toString() }
  } finally {
    server.closeAllConnections()
    server.close()
  }
}

describe('the context of a workspace', () => {
  test('says where the request acts and what may be done there, and cannot be changed', () => {
    const context = contextOf(verified, 'staging')
    expect(context).toMatchObject({
      ...{ tenantUid: acme.tid, tenantSlug: 'acme', workspaceUid: acme.staging, workspaceSlug: 'staging' },
      ...{ principal: 'tenants/acme/users/alice', actor: undefined, permissions: ['orders.read'], tier: 'standard' },
      ...{ region: 'eu-central-1', tokenId: tokenClaims().jti, tenantRevision: 42, onlineRequired: false },
      expireTimeMs: tokenClaims().exp * 1_000,
    })
    expect({ ...context.entitlements }).toEqual(tokenClaims().entitlements)
    expect(Object.isFrozen(context)).toBe(true)
    expect(contextOf(verified, acme.staging)).toBe(context)
  })

  test('what is held in one workspace is held in no other and not in the tenant, nor the other way round', () => {
    expect(contextOf(verified, 'prod').has('orders.write')).toBe(true)
    expect(contextOf(verified, 'staging').has('orders.write')).toBe(false)
    expect(contextOf(verified, 'prod').has('workspaces.list')).toBe(false)
    expect(tenantLevelContextOf(verified).has('orders.read')).toBe(false)
    expect(tenantLevelContextOf(verified)).toMatchObject({ workspaceUid: undefined, permissions: ['workspaces.list'] })
  })

  test.each(['', 'Prod', 'pro', 'globex', 'prod,staging', '__proto__', acme.tid])(
    'there is none of %j',
    (workspace) => {
      expect(() => contextOf(verified, workspace)).toThrow(
        expect.objectContaining({ reason: 'WORKSPACE_NOT_IN_TOKEN' }),
      )
    },
  )

  test('claims that no verifier has accepted give none', () => {
    expect(() => contextOf({ claims: tokenClaims() }, 'prod')).toThrow(TypeError)
    expect(() => contextOf({ ...verified }, 'prod')).toThrow(TypeError)
    expect(() => tenantLevelContextOf({ ...verified })).toThrow(TypeError)
  })

  test('a missing permission is refused by name of the reason', () => {
    expect(() => requirePermission(contextOf(verified, 'prod'), 'orders.write')).not.toThrow()
    expect(() => requirePermission(contextOf(verified, 'staging'), 'orders.write')).toThrow(
      expect.objectContaining({ reason: 'PERMISSION_MISSING', httpStatus: 403 }),
    )
  })
})

describe('a request passes with one good token and one workspace of it', () => {
  test.each<readonly [string, readonly string[]]>([
    ['by slug', ['authorization', bearer, 'x-workspace-id', 'prod']],
    ['by uid', ['authorization', bearer, 'x-workspace-id', acme.prod]],
    ['whatever the case of the scheme', ['authorization', `bearer ${good}`, 'x-workspace-id', 'prod']],
    ['whatever the case of the names', ['Authorization', bearer, 'X-Workspace-Id', 'prod']],
  ])('%s', async (_name, headers) => {
    const { status, body } = await ask(workspaceGuard({ verifier }), headers)
    expect([status, JSON.parse(body)]).toMatchObject([200, { workspaceSlug: 'prod', workspaceUid: acme.prod }])
  })

  test('a service without workspaces asks for none', async () => {
    const { status, body } = await ask(tenantGuard({ verifier }), ['authorization', bearer], tenantContextFrom)
    expect([status, JSON.parse(body)]).toMatchObject([200, { tenantSlug: 'acme', permissions: ['workspaces.list'] }])
  })
})

const expired = await signTenantToken(tokenClaims({ iat: 1, nbf: 1, exp: 2 }), key)

describe('every other request is answered with its reason', () => {
  const token = ['authorization', bearer]
  const prod = ['x-workspace-id', 'prod']
  const bad = 'Bearer error="invalid_token"'
  test.each<readonly [string, readonly string[], number, string, string | undefined]>([
    ['no token', prod, 401, 'TOKEN_MISSING', 'Bearer'],
    ['another scheme', ['authorization', `Basic ${good}`, ...prod], 401, 'TOKEN_MISSING', 'Bearer'],
    ['an empty token', ['authorization', 'Bearer ', ...prod], 401, 'TOKEN_MISSING', 'Bearer'],
    ['two tokens', [...token, ...token, ...prod], 400, 'TOKEN_REPEATED', undefined],
    ['two tokens in one header', ['authorization', `${bearer}, ${bearer}`, ...prod], 401, 'MALFORMED', bad],
    ['an expired token', ['authorization', `Bearer ${expired}`, ...prod], 401, 'EXPIRED', bad],
    ['an API key', ['authorization', 'Bearer tenure_live_x', ...prod], 401, 'MALFORMED', bad],
    ['no workspace', token, 400, 'WORKSPACE_MISSING', undefined],
    ['an empty workspace', [...token, 'x-workspace-id', ''], 400, 'WORKSPACE_MISSING', undefined],
    ['two workspaces', [...token, ...prod, 'x-workspace-id', 'staging'], 400, 'WORKSPACE_REPEATED', undefined],
    ['the same workspace twice', [...token, ...prod, ...prod], 400, 'WORKSPACE_REPEATED', undefined],
    ['two in one header', [...token, 'x-workspace-id', 'prod, staging'], 400, 'WORKSPACE_REPEATED', undefined],
    ['a workspace of somebody else', [...token, 'x-workspace-id', 'globex'], 403, 'WORKSPACE_NOT_IN_TOKEN', undefined],
  ])('%s', async (_name, headers, status, reason, challenge) => {
    const answered = await ask(workspaceGuard({ verifier }), headers)
    const { error } = JSON.parse(answered.body)
    expect([answered.status, error.reason, answered.headers['www-authenticate']]).toEqual([status, reason, challenge])
    expect(error.message.length).toBeGreaterThan(20)
    expect(answered.body).not.toMatch(/acme|alice|eyJ/)
    expect(answered.headers['cache-control']).toBe('no-store')
  })

  test('the keys cannot be had: come again', async () => {
    const unreachable = verifierWith({ jwks: 'http://127.0.0.1:1/' })
    const answered = await ask(workspaceGuard({ verifier: unreachable }), [...token, ...prod])
    expect([answered.status, JSON.parse(answered.body).error.reason]).toEqual([503, 'KEYS_UNAVAILABLE'])
    expect(answered.headers['retry-after']).toBe('1')
  })
})

describe('the workspace the address names', () => {
  const named = (incoming: IncomingMessage) => /^\/workspaces\/([^/]+)/.exec(incoming.url ?? '')?.[1]
  const guard = workspaceGuard({ verifier, named })
  const headers = ['authorization', bearer, 'x-workspace-id', 'prod']
  test.each<readonly [string, number]>([
    ['/', 200],
    ['/workspaces/prod', 200],
    [`/workspaces/${acme.prod}`, 200],
    ['/workspaces/staging', 400],
    [`/workspaces/${acme.staging}`, 400],
    ['/workspaces/globex', 400],
  ])('%s beside prod: %d', async (path, status) => {
    const answered = await ask(guard, headers, contextFrom, path)
    expect(answered.status).toBe(status)
    if (status === 400) expect(JSON.parse(answered.body).error.reason).toBe('WORKSPACE_MISMATCH')
  })
})

describe('a token that cannot be decided offline', () => {
  const headers = async () => {
    const token = await signTenantToken(tokenClaims({ online_required: true }), key)
    return ['authorization', `Bearer ${token}`, 'x-workspace-id', 'prod']
  }
  test('is refused', async () => {
    for (const guard of [workspaceGuard({ verifier }), tenantGuard({ verifier })]) {
      const answered = await ask(guard, await headers())
      expect([answered.status, JSON.parse(answered.body).error.reason]).toEqual([403, 'ONLINE_REQUIRED'])
    }
  })

  test('passes where the service says that it asks Authorize itself, and the context says so', async () => {
    const answered = await ask(workspaceGuard({ verifier, asksAuthorize: true }), await headers())
    expect([answered.status, JSON.parse(answered.body).onlineRequired]).toEqual([200, true])
  })
})

test('who acts for whom is in the context', async () => {
  const token = await signTenantToken(tokenClaims({ act: { sub: 'serviceAccounts/support' } }), key)
  expect(contextOf(await verifier.verify(token), 'prod')).toMatchObject({
    principal: 'tenants/acme/users/alice',
    actor: 'serviceAccounts/support',
  })
})

test('a request no guard has let pass has no context', () => {
  expect(() => contextFrom({ headers: {} } as IncomingMessage)).toThrow(TypeError)
  expect(() => tenantContextFrom({ headers: {} } as IncomingMessage)).toThrow(TypeError)
})

test('a failure that is no refusal goes to the error handler and lets nothing pass', async () => {
  const named = () => {
    throw new Error('of the router')
  }
  const answered = await ask(workspaceGuard({ verifier, named }), ['authorization', bearer, 'x-workspace-id', 'prod'])
  expect([answered.status, answered.body]).toEqual([500, 'Error: of the router'])
})

test('frameworks that give no raw headers are served by the plain function', async () => {
  const headers = { authorization: bearer, 'x-workspace-id': 'prod' }
  expect(await authenticate({ headers }, { verifier })).toMatchObject({ workspaceSlug: 'prod' })
  const repeated = { ...headers, 'x-workspace-id': ['prod', 'prod'] }
  await expect(authenticate({ headers: repeated }, { verifier })).rejects.toMatchObject({
    reason: 'WORKSPACE_REPEATED',
  })
})
