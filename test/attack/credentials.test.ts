import { create } from '@bufbuild/protobuf'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { Clock } from '../../src/base/clock.ts'
import { platformTenantId } from '../../src/base/ids.ts'
import { formatApiKey, parseApiKey } from '../../src/credentials/api-key.ts'
import { AccessService, GetCallerRequestSchema } from '../../src/gen/tenure/v1/access_service_pb.ts'
import { ApiKeyService } from '../../src/gen/tenure/v1/api_key_service_pb.ts'
import { AuditEvent_Outcome } from '../../src/gen/tenure/v1/audit_event_pb.ts'
import { AuditService } from '../../src/gen/tenure/v1/audit_service_pb.ts'
import { ServiceAccountService } from '../../src/gen/tenure/v1/service_account_service_pb.ts'
import { TenantService } from '../../src/gen/tenure/v1/tenant_service_pb.ts'
import { UserService } from '../../src/gen/tenure/v1/user_service_pb.ts'
import { WorkspaceService } from '../../src/gen/tenure/v1/workspace_service_pb.ts'
import { playEverywhere } from '../parity/play.ts'
import { seedKey, seedPermissions, seedTenant, type TenantFixture } from '../support/fixture.ts'
import { startTestServer, type TestServer } from '../support/test-server.ts'
import { bearer, callJson, everyMethod, methodName } from './caller.ts'

let server: TestServer
let acme: TenantFixture
let environment: string
let offsetMs = 0
const clock: Clock = { nowMs: () => Date.now() + offsetMs, monotonicMs: () => performance.now() }

beforeAll(async () => {
  server = await startTestServer({ clock })
  await seedPermissions(server)
  acme = await seedTenant(server, 'acme')
  await seedTenant(server, 'globex')
  environment = server.config.environment
})

afterEach(() => {
  offsetMs = 0
})

afterAll(() => server[Symbol.asyncDispose]())

const { getCaller } = AccessService.method

/** The answer to a credential, with everything in it that could differ but the call's own id. */
async function refusalOf(headers: Readonly<Record<string, string>>) {
  const { seen, code, reason } = await callJson(server.httpUrl, getCaller, '{}', headers)
  return { seen, code, reason }
}

function flipCase(text: string): string {
  return text.replace(/[a-zA-Z]/g, (letter) => (letter < 'a' ? letter.toLowerCase() : letter.toUpperCase()))
}

/** Wrong at sight: each differs from a live key in form, environment or check digits. */
function malformed(key: string): Readonly<Record<string, string>> {
  const middle = Math.floor(key.length / 2)
  const swapped = key[middle] === 'a' ? 'b' : 'a'
  return {
    word: 'nobody',
    'wrong check digit': key.slice(0, -1) + (key.endsWith('a') ? 'b' : 'a'),
    truncated: key.slice(0, -1),
    'cut to the id': key.slice(0, 56),
    extended: `${key}a`,
    'one character changed': key.slice(0, middle) + swapped + key.slice(middle + 1),
    'case flipped': flipCase(key),
    'upper case': key.toUpperCase(),
    'other environment': formatApiKey('elsewhere', acme.uid, platformTenantId, Buffer.alloc(32, 7)),
    'no prefix': key.replace(/^tenure_/, ''),
    'two keys': `${key} ${key}`,
    'trailing text': `${key},x`,
    sql: `' OR 1=1 --`,
    unicode: 'tenure_%E2%80%AE',
    long: 'k'.repeat(8_000),
  }
}

/** Right to the last check digit, and worth nothing. */
function forged(key: string): Readonly<Record<string, string>> {
  const parsed = parseApiKey(key, environment)
  const secret = Buffer.alloc(32, 9)
  const make = (tenantId: string, apiKeyId: string) => formatApiKey(environment, tenantId, apiKeyId, secret)
  return {
    'unknown key of a known tenant': make(acme.uid, '01900000-0000-7000-8000-00000000dead'),
    'unknown tenant': make('01900000-0000-7000-8000-00000000beef', '01900000-0000-7000-8000-00000000dead'),
    'unknown key of the platform': make(platformTenantId, '01900000-0000-7000-8000-00000000dead'),
    'right id, wrong secret': make(acme.uid, parsed?.apiKeyId ?? ''),
    'right id, tenant of another': make(platformTenantId, parsed?.apiKeyId ?? ''),
  }
}

/** Keys that were live once. */
async function dead(): Promise<Readonly<Record<string, string>>> {
  const keys = server.client(ApiKeyService)
  const owner = { case: 'serviceAccount' as const, value: `${acme.name}/serviceAccounts/owner-bot` }
  const revoked = await keys.createApiKey({ parent: acme.name, apiKey: { owner } })
  await keys.revokeApiKey({ name: revoked.apiKey?.name ?? '' })
  const seconds = BigInt(Math.floor(clock.nowMs() / 1000) + 60)
  const expiring = await keys.createApiKey({ parent: acme.name, apiKey: { owner, expireTime: { seconds, nanos: 0 } } })
  expect((await refusalOf(bearer(expiring.secret))).code).toBe('ok')
  await server.client(ServiceAccountService).createServiceAccount({ parent: acme.name, serviceAccountId: 'gone-bot' })
  const orphan = await seedKey(server, acme.name, `${acme.name}/serviceAccounts/gone-bot`)
  await server.client(ServiceAccountService).disableServiceAccount({ name: `${acme.name}/serviceAccounts/gone-bot` })
  const doomed = await seedTenant(server, 'doomed')
  expect((await refusalOf(bearer(doomed.ownerKey))).code).toBe('ok')
  await server.client(TenantService).deleteTenant({ name: doomed.name, force: true })
  offsetMs = 61_000
  return {
    revoked: revoked.secret,
    expired: expiring.secret,
    'owner disabled': orphan,
    'tenant deleted': doomed.ownerKey,
  }
}

describe('a bad credential', () => {
  test('is one refusal, whatever is wrong with it', async () => {
    const all = { ...malformed(acme.ownerKey), ...forged(acme.ownerKey), ...(await dead()) }
    const reference = await refusalOf(bearer('nobody'))
    expect(reference).toMatchObject({ code: 'unauthenticated', reason: 'CREDENTIAL_INVALID' })
    for (const [name, key] of Object.entries(all)) expect(await refusalOf(bearer(key)), name).toEqual(reference)
    for (const authorization of [
      `Basic ${acme.ownerKey}`,
      `bearer${acme.ownerKey}`,
      acme.ownerKey,
      'Bearer',
      'Bearer null',
    ]) {
      expect(await refusalOf({ authorization }), authorization.slice(0, 8)).toEqual(reference)
    }
    offsetMs = 0
    expect((await refusalOf(bearer(acme.ownerKey))).code).toBe('ok')
  })

  test('for a workspace that was deleted is none any more', async () => {
    const at = `${acme.name}/workspaces/short-lived`
    await server.client(WorkspaceService).createWorkspace({ parent: acme.name, workspaceId: 'short-lived' })
    const key = await seedKey(server, at, `${acme.name}/serviceAccounts/owner-bot`)
    expect((await refusalOf(bearer(key))).code).toBe('ok')
    await server.client(WorkspaceService).deleteWorkspace({ name: at, force: true })
    expect(await refusalOf(bearer(key))).toEqual(await refusalOf(bearer('nobody')))
  })

  test('none at all is CREDENTIAL_MISSING, the same for every method, whatever the body', async () => {
    for (const method of everyMethod) {
      for (const body of ['{}', '{"name":"tenants/acme"}', '{', '{"nothing":1}']) {
        const answer = await callJson(server.httpUrl, method, body, {})
        expect([answer.code, answer.reason], methodName(method)).toEqual(['unauthenticated', 'CREDENTIAL_MISSING'])
        const refused = await callJson(server.httpUrl, method, body, bearer('nobody'))
        expect([refused.code, refused.reason], methodName(method)).toEqual(['unauthenticated', 'CREDENTIAL_INVALID'])
      }
    }
  })

  test('malformed costs no read of the database; unknown no read beyond its own tenant', async () => {
    const { engines } = server.server.platform
    const loads = () => engines.tenants.stats().loads + engines.platform.stats().loads
    const before = loads()
    for (let round = 0; round < 20; round += 1) {
      for (const key of Object.values(malformed(acme.ownerKey))) await refusalOf(bearer(key))
    }
    expect(loads()).toBe(before)
    for (let round = 0; round < 20; round += 1) {
      const { 'unknown tenant': _stranger, ...ours } = forged(acme.ownerKey)
      for (const key of Object.values(ours)) await refusalOf(bearer(key))
    }
    expect(loads()).toBe(before)
  })

  test('is the same on every transport', async () => {
    const endpoint = { host: '127.0.0.1', grpcPort: server.server.grpcPort, httpPort: server.server.httpPort }
    for (const key of ['nobody', ...Object.values(forged(acme.ownerKey))]) {
      const played = await playEverywhere(endpoint, getCaller, { message: create(GetCallerRequestSchema) }, bearer(key))
      for (const { code, reason, transport } of played) {
        expect([code, reason], transport).toEqual(['UNAUTHENTICATED', 'CREDENTIAL_INVALID'])
      }
    }
  })

  test('of a megabyte is refused before it is read, and the server lives', async () => {
    const huge = await fetch(`${server.httpUrl}/tenure.v1.AccessService/GetCaller`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${'k'.repeat(1_000_000)}` },
      body: '{}',
    }).then(
      ({ status }) => status,
      () => 'connection closed',
    )
    expect([431, 'connection closed']).toContain(huge)
    expect((await refusalOf(bearer(acme.ownerKey))).code).toBe('ok')
  })
})

async function denialsOf(event: string, reason: string) {
  const audit = server.client(AuditService)
  const { auditEvents } = await audit.listAuditEvents({
    parent: acme.name,
    filter: `event = "${event}"`,
    pageSize: 1000,
  })
  return auditEvents.filter((each) => each.reason === reason && each.outcome === AuditEvent_Outcome.DENIED)
}

describe('a request that names another place than its credential', () => {
  test('x-workspace-id that disagrees is refused without a look-up, and audited', async () => {
    const { getWorkspace } = WorkspaceService.method
    const body = JSON.stringify({ name: `${acme.name}/workspaces/prod` })
    for (const workspace of [
      'test',
      'nowhere',
      'PROD',
      'prod ',
      'prod, prod',
      '01900000-0000-7000-8000-00000000dead',
    ]) {
      const headers = { ...bearer(acme.ownerKey), 'x-workspace-id': workspace }
      const answer = await callJson(server.httpUrl, getWorkspace, body, headers)
      if (workspace.trim() === 'prod') expect(answer.code).toBe('ok')
      else expect([answer.code, answer.reason], workspace).toEqual(['invalid_argument', 'WORKSPACE_MISMATCH'])
    }
    const denials = await denialsOf('workspaces.get', 'WORKSPACE_MISMATCH')
    expect(denials.length).toBe(5)
    expect(denials[0]).toMatchObject({ target: `${acme.name}/workspaces/prod` })
  })

  test('a name of another tenant is refused, and the denial stands in the audit of the credential’s own', async () => {
    const { getUser } = UserService.method
    const body = JSON.stringify({ name: 'tenants/globex/users/alice' })
    const answer = await callJson(server.httpUrl, getUser, body, bearer(acme.adminKey))
    expect([answer.code, answer.reason]).toEqual(['not_found', 'NOT_FOUND'])
    const [denial] = await denialsOf('users.get', 'NOT_FOUND')
    expect(denial).toMatchObject({
      principal: `${acme.name}/serviceAccounts/admin-bot`,
      target: 'tenants/globex/users/alice',
      outcome: AuditEvent_Outcome.DENIED,
    })
    expect(denial?.requestId).not.toBe('')
    const theirs = await server.client(AuditService).listAuditEvents({ parent: 'tenants/globex', pageSize: 1000 })
    expect(theirs.auditEvents.filter(({ principal }) => principal.startsWith(acme.name))).toEqual([])
  })
})
