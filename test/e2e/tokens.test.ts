import { timestampFromMs, timestampMs } from '@bufbuild/protobuf/wkt'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { AccessService } from '../../src/gen/tenure/v1/access_service_pb.ts'
import { ApiKeyService } from '../../src/gen/tenure/v1/api_key_service_pb.ts'
import { AuditService } from '../../src/gen/tenure/v1/audit_service_pb.ts'
import { MembershipService } from '../../src/gen/tenure/v1/membership_service_pb.ts'
import { RoleService } from '../../src/gen/tenure/v1/role_service_pb.ts'
import { Tenant_SuspensionMode } from '../../src/gen/tenure/v1/tenant_pb.ts'
import { TenantService } from '../../src/gen/tenure/v1/tenant_service_pb.ts'
import { type IssueTokenRequest, TokenService } from '../../src/gen/tenure/v1/token_service_pb.ts'
import { UserService } from '../../src/gen/tenure/v1/user_service_pb.ts'
import { WorkspaceService } from '../../src/gen/tenure/v1/workspace_service_pb.ts'
import type { TenantTokenClaims } from '../../src/jwt/tenant-token-claims.ts'
import { openVerificationKeys } from '../../src/jwt/verification-keys.ts'
import { verifyTenantToken } from '../../src/jwt/verify-tenant-token.ts'
import { giveCodes } from '../../src/tenancy/coded-rows.ts'
import { seedPermissions, seedTenant, type TenantFixture } from '../support/fixture.ts'
import { reasonOf } from '../support/reason.ts'
import { openSideDoor } from '../support/side-door.ts'
import { startTestServer, type TestServer } from '../support/test-server.ts'

let server: TestServer
let acme: TenantFixture
let globex: TenantFixture

beforeAll(async () => {
  server = await startTestServer()
  await seedPermissions(server)
  acme = await seedTenant(server, 'acme')
  globex = await seedTenant(server, 'globex')
})

afterAll(() => server[Symbol.asyncDispose]())

type Asked = Partial<Pick<IssueTokenRequest, 'parent' | 'workspaces' | 'permissions' | 'audience' | 'ttl'>>

const tokens = (key = server.rootKey) => server.client(TokenService, key)
const about = (name: string) => {
  const kind = name.includes('/users/') ? ('user' as const) : ('serviceAccount' as const)
  return { kind: { case: kind, value: name } }
}

async function verified(token: string, audience = 'tenure', nowMs = Date.now()): Promise<TenantTokenClaims> {
  const keys = await openVerificationKeys(await (await fetch(`${server.httpUrl}/.well-known/jwks.json`)).json())
  return verifyTenantToken(token, {
    ...{ issuer: server.httpUrl, audience, nowMs, clockToleranceSeconds: 0 },
    keyOf: (kid) => keys?.get(kid),
  })
}

async function issue(name: string | undefined, asked: Asked = {}, key = server.rootKey): Promise<TenantTokenClaims> {
  const principal = name === undefined ? {} : { principal: about(name) }
  const { token, expireTime } = await tokens(key).issueToken({ parent: 'tenants/acme', ...asked, ...principal })
  // However long the answer was on its way: some tokens live for a second.
  const lastMs = expireTime === undefined ? 0 : timestampMs(expireTime) - 1
  return verified(token, asked.audience?.[0], Math.min(Date.now(), lastMs))
}

test('a token says who, where and what, workspace by workspace, and is signed by a published key', async () => {
  const { tenant } = await server.client(TenantService).getTenant({ name: 'tenants/acme' })
  const { workspace } = await server.client(WorkspaceService).getWorkspace({ name: 'tenants/acme/workspaces/prod' })
  const response = await tokens().issueToken({ parent: 'tenants/acme', principal: about(acme.alice) })
  const claims = await verified(response.token)
  const { role } = await server.client(RoleService).getRole({ name: 'tenants/acme/roles/order-reader' })
  expect(claims).toEqual({
    ...{ iss: server.httpUrl, sub: acme.alice, aud: ['tenure'], jti: response.tokenId },
    ...{
      iat: expect.any(Number),
      nbf: claims.iat,
      exp: claims.iat + 300,
      client_id: expect.stringMatching(/^apiKeys\//),
    },
    ...{ tid: tenant?.uid, tenant: 'acme', tep: 0, rev: expect.any(Number), tier: 'standard', region: 'local' },
    workspaces: [{ id: workspace?.uid, slug: 'prod', epoch: 0, permissions: ['orders.read'] }],
    ...{ permissions: [], entitlements: {}, roles: [role?.uid], pep: 0, online_required: false },
    act: { sub: 'serviceAccounts/root' },
  })
  expect(response.expireTime).toEqual(timestampFromMs(claims.exp * 1000))
  expect(
    await reasonOf(
      server.client(AccessService).authorize({
        ...{ parent: 'tenants/acme', permission: 'orders.read', atLeastRevision: response.revision },
        credential: { case: 'principal', value: about(acme.alice) },
      }),
    ),
  ).toBe('OK')
})

test('a token about oneself names no other actor, and carries the power of the key alone', async () => {
  const claims = await issue(undefined, {}, acme.ownerKey)
  expect(claims.act).toBeUndefined()
  expect([claims.sub, claims.workspaces.map(({ slug }) => slug)]).toEqual([
    'tenants/acme/serviceAccounts/owner-bot',
    ['prod', 'test'],
  ])
  expect(claims.permissions).toEqual(['orders.read', 'orders.write'])
  const owner = { case: 'serviceAccount' as const, value: 'tenants/acme/serviceAccounts/owner-bot' }
  const { secret } = await server
    .client(ApiKeyService)
    .createApiKey({ parent: 'tenants/acme', apiKey: { owner, permissions: ['orders.read', 'tokens.issue'] } })
  expect((await issue(undefined, {}, secret)).workspaces[0]?.permissions).toEqual(['orders.read'])
  // By its own name it is no other.
  expect((await issue(owner.value, {}, secret)).act).toBeUndefined()
})

test('a key of one workspace makes tokens of that workspace alone', async () => {
  const prod = 'tenants/acme/workspaces/prod'
  expect((await issue(undefined, { parent: prod }, acme.prodKey)).workspaces.map(({ slug }) => slug)).toEqual(['prod'])
  expect(await reasonOf(issue(undefined, {}, acme.prodKey))).toBe('NOT_FOUND')
  expect(await reasonOf(issue(undefined, { parent: 'tenants/acme/workspaces/test' }, acme.prodKey))).toBe('NOT_FOUND')
})

test('power in one workspace is not in what the token says of another, nor of the tenant', async () => {
  const bob = await member('carol', 'prod', ['orders.write'])
  await grant(bob, 'test', 'tenants/acme/roles/order-reader')
  const { workspaces, permissions } = await issue(bob)
  expect(workspaces.map(({ slug, permissions: granted }) => [slug, granted])).toEqual([
    ['prod', ['orders.write']],
    ['test', ['orders.read']],
  ])
  expect(permissions).toEqual([])
  const narrowed = await issue(bob, { permissions: ['orders.read'] })
  expect(narrowed.workspaces.map(({ permissions: granted }) => granted)).toEqual([[], ['orders.read']])
  expect(
    (await issue(bob, { workspaces: ['tenants/acme/workspaces/test'] })).workspaces.map(({ slug }) => slug),
  ).toEqual(['test'])
})

let people = 0

async function grant(user: string, workspace: string, role: string, more: object = {}): Promise<void> {
  people += 1
  await server.client(MembershipService).createMembership({
    parent: `tenants/acme/workspaces/${workspace}`,
    membershipId: `m-${people}`,
    membership: { member: { case: 'user', value: user }, roles: [role], ...more },
  })
}

/** A user with a role of their own in that workspace. */
async function member(id: string, workspace: string, permissions: string[], more: object = {}): Promise<string> {
  const user = `tenants/acme/users/${id}`
  await server
    .client(UserService)
    .createUser({ parent: 'tenants/acme', userId: id, user: { issuer: 'https://idp.example', subject: id } })
  await server.client(RoleService).createRole({ parent: 'tenants/acme', roleId: `of-${id}`, role: { permissions } })
  await grant(user, workspace, `tenants/acme/roles/of-${id}`, more)
  return user
}

test("Tenure's own permissions are in a token only by name", async () => {
  const owner = 'tenants/acme/serviceAccounts/owner-bot'
  const [plain] = (await issue(owner)).workspaces
  expect(plain?.permissions).toEqual(['orders.read', 'orders.write'])
  const [named] = (await issue(owner, { permissions: ['secrets.access', 'orders.read'] })).workspaces
  expect(named?.permissions).toEqual(['orders.read', 'secrets.access'])
})

test('who is unknown, foreign, disabled or nowhere a member has no token, and none can be told from another', async () => {
  const dora = await member('dora', 'prod', ['orders.read'])
  await server.client(UserService).disableUser({ name: dora })
  const outcomes: unknown[] = []
  for (const name of [dora, acme.bob, 'tenants/acme/users/nobody', globex.alice, 'serviceAccounts/root']) {
    const call = tokens().issueToken({ parent: 'tenants/acme', principal: about(name) })
    outcomes.push(
      await call.then(
        () => 'issued',
        (error: Error) => error.message,
      ),
    )
  }
  expect(new Set(outcomes).size).toBe(1)
  expect(outcomes[0]).toMatch(/nothing of that name/)
  const places = ['tenants/acme/workspaces/none', 'tenants/globex/workspaces/prod', 'tenants/acme/workspaces/test']
  for (const place of places) expect(await reasonOf(issue(acme.alice, { workspaces: [place] }))).toBe('NOT_FOUND')
  expect(await reasonOf(issue(undefined))).toBe('INVALID_FIELD')
})

test('nobody has a token in the name of who holds more, and only those who may impersonate in any other name', async () => {
  expect(await reasonOf(issue('tenants/acme/serviceAccounts/owner-bot', {}, acme.adminKey))).toBe(
    'GRANT_EXCEEDS_CALLER',
  )
  // Not even one that says less than the impersonator holds.
  const little = { permissions: ['orders.read'] }
  expect(await reasonOf(issue('tenants/acme/serviceAccounts/owner-bot', little, acme.adminKey))).toBe(
    'GRANT_EXCEEDS_CALLER',
  )
  expect((await issue(acme.alice, {}, acme.adminKey)).act).toEqual({ sub: 'tenants/acme/serviceAccounts/admin-bot' })
  for (const name of [acme.alice, 'tenants/acme/users/nobody', globex.alice]) {
    expect(await reasonOf(issue(name, {}, acme.viewerKey))).toBe('PERMISSION_MISSING')
  }
  expect(await reasonOf(issue(acme.alice, {}, globex.ownerKey))).toBe('NOT_FOUND')
})

test('a token ends no later than the membership or the key it is made from', async () => {
  const soon = Date.now() + 60_000
  const erin = await member('erin', 'prod', ['orders.read'], { expireTime: timestampFromMs(soon) })
  expect((await issue(erin, { ttl: ttl(3600) })).exp).toBe(Math.floor(soon / 1000))
  const owner = { case: 'serviceAccount' as const, value: 'tenants/acme/serviceAccounts/owner-bot' }
  const { secret } = await server
    .client(ApiKeyService)
    .createApiKey({ parent: 'tenants/acme', apiKey: { owner, expireTime: timestampFromMs(soon) } })
  expect((await issue(undefined, { ttl: ttl(3600) }, secret)).exp).toBe(Math.floor(soon / 1000))
  expect((await issue(acme.alice, { ttl: ttl(1) })).exp % 1).toBe(0)
  for (const seconds of [0, 3601, -1])
    expect(await reasonOf(issue(acme.alice, { ttl: ttl(seconds) }))).toBe('INVALID_FIELD')
})

function ttl(seconds: number): NonNullable<IssueTokenRequest['ttl']> {
  return { $typeName: 'google.protobuf.Duration', seconds: BigInt(seconds), nanos: 0 }
}

test('while a tenant is suspended there are no tokens of it, nor of a workspace while that is archived', async () => {
  const name = 'tenants/globex'
  const asked = { parent: name }
  const owner = `${name}/serviceAccounts/owner-bot`
  await server.client(TenantService).suspendTenant({ name, mode: Tenant_SuspensionMode.FULL })
  for (const key of [globex.ownerKey, server.rootKey]) {
    expect(await reasonOf(issue(key === server.rootKey ? owner : undefined, asked, key))).toBe('TENANT_SUSPENDED')
  }
  await server.client(TenantService).resumeTenant({ name })
  const archived = 'tenants/globex/workspaces/test'
  await server.client(WorkspaceService).archiveWorkspace({ name: archived })
  expect((await issue(owner, asked)).workspaces.map(({ slug }) => slug)).toEqual(['prod'])
  expect(await reasonOf(issue(owner, { ...asked, workspaces: [archived] }))).toBe('WORKSPACE_ARCHIVED')
})

test('while a tenant takes no writes its tokens carry none', async () => {
  await using other = await startTestServer()
  await seedPermissions(other)
  const { ownerKey } = await seedTenant(other, 'acme')
  await using rows = await openSideDoor(other.databaseUrl)
  await rows.run("UPDATE tenant_heads SET state = 'SUSPENDED', suspension_mode = 'READ_ONLY'")
  await giveCodes(other.server.platform.codedRows, 'places')
  await other.stop()
  await using again = await startTestServer({ folder: other.folder })
  const { token } = await again.client(TokenService, ownerKey).issueToken({ parent: 'tenants/acme' })
  const payload = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as TenantTokenClaims
  expect([payload.permissions, payload.workspaces[0]?.permissions]).toEqual([['orders.read'], ['orders.read']])
})

test('who names workspaces has no power over the tenant in the token', async () => {
  const claims = await issue(undefined, { workspaces: ['tenants/acme/workspaces/prod'] }, acme.ownerKey)
  expect([claims.permissions, claims.workspaces.map(({ slug }) => slug)]).toEqual([[], ['prod']])
})

test('a token in the name of another ends no later than the key it was asked for with', async () => {
  const soon = Date.now() + 60_000
  const owner = { case: 'serviceAccount' as const, value: `${acme.name}/serviceAccounts/owner-bot` }
  const { secret } = await server
    .client(ApiKeyService)
    .createApiKey({ parent: acme.name, apiKey: { owner, expireTime: timestampFromMs(soon) } })
  expect((await issue(acme.alice, { ttl: ttl(3600) }, secret)).exp).toBe(Math.floor(soon / 1000))
})

test('audiences are those asked for, and permissions must be in the catalogue', async () => {
  expect((await issue(acme.alice, { audience: ['orders', 'billing'] })).aud).toEqual(['orders', 'billing'])
  expect(await reasonOf(issue(acme.alice, { permissions: ['orders.unknown'] }))).toBe('UNKNOWN_PERMISSION')
})

test('a token that would be too large is refused with what to do, not cut', async () => {
  const { tenant } = await server.client(TenantService).createTenant({
    tenantId: 'wide',
    initialOwner: { issuer: 'https://idp.example', subject: 'wide', email: 'wide@idp.example' },
  })
  for (let at = 0; at < 60; at += 1) {
    await server.client(WorkspaceService).createWorkspace({ parent: tenant?.name ?? '', workspaceId: `w-${at}` })
  }
  const identity = { kind: { case: 'identity' as const, value: { issuer: 'https://idp.example', subject: 'wide' } } }
  const request = { parent: 'tenants/wide', principal: identity }
  await expect(tokens().issueToken(request)).rejects.toThrow(/fewer workspaces/)
  const { token } = await tokens().issueToken({ ...request, workspaces: ['tenants/wide/workspaces/w-1'] })
  expect(token.length).toBeLessThan(4096)
})

test('who had which token is in the audit log, and the token is nowhere', async () => {
  const { token, tokenId } = await tokens(acme.adminKey).issueToken({
    parent: 'tenants/acme',
    principal: about(acme.alice),
  })
  const { auditEvents } = await server
    .client(AuditService, acme.ownerKey)
    .listAuditEvents({ parent: 'tenants/acme', filter: 'event = "tokens.issue"', pageSize: 1 })
  expect(auditEvents[0]).toMatchObject({
    ...{ target: acme.alice, principal: 'tenants/acme/serviceAccounts/admin-bot' },
    details: { token_id: tokenId, audience: ['tenure'], workspaces: ['prod'] },
  })
  await using rows = await openSideDoor(server.databaseUrl)
  const signature = token.split('.')[2] ?? ''
  for (const row of await rows.all('SELECT * FROM journal', [])) {
    for (const cell of Object.values(row)) {
      const text = cell instanceof Uint8Array ? Buffer.from(cell).toString('latin1') : String(cell)
      expect(text).not.toContain(signature)
    }
  }
})
