import {
  createRegistry,
  type DescMethod,
  fromBinary,
  fromJson,
  type JsonValue,
  toBinary,
  toJson,
} from '@bufbuild/protobuf'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { file_google_rpc_error_details } from '../../src/gen/google/rpc/error_details_pb.ts'
import { AccessService } from '../../src/gen/tenure/v1/access_service_pb.ts'
import { bearer, callJson, everyMethod, methodName } from '../attack/caller.ts'
import { namesOf, takeInventory } from '../attack/inventory.ts'
import { openRawGrpc } from '../attack/raw-grpc.ts'
import { fieldsOfRequest } from '../attack/request-fields.ts'
import { type Json, makeRequest, type NamesByShape, withField } from '../attack/request-maker.ts'
import { seedPermissions, seedTenant, type TenantFixture } from '../support/fixture.ts'
import { startTestServer, type TestServer } from '../support/test-server.ts'
import { comparable, type Endpoint, playEverywhere, playOne } from './play.ts'
import { type Played, transports } from './played.ts'
import { aliased } from './whole-server-play.ts'

let server: TestServer
let endpoint: Endpoint
let acme: TenantFixture
let names: NamesByShape
let inventory: readonly string[]

beforeAll(async () => {
  server = await startTestServer()
  endpoint = { host: '127.0.0.1', grpcPort: server.server.grpcPort, httpPort: server.server.httpPort }
  await seedPermissions(server)
  acme = await seedTenant(server, 'acme')
  await seedTenant(server, 'globex')
  inventory = await takeInventory(server.httpUrl, server.rootKey)
  names = namesOf(inventory, acme.name)
})

afterAll(() => server[Symbol.asyncDispose]())

type Headers = Readonly<Record<string, string>>

function requestOf(method: DescMethod): Json {
  const request = makeRequest(method, { names, place: acme.name })
  // Every call adds to what is listed; the chain of changes stands still.
  return method.name === 'ListAuditEvents' ? { ...request, filter: 'chain = "authority"' } : request
}

async function play(method: DescMethod, request: Json, headers: Headers): Promise<Omit<Played, 'transport'>> {
  const message = fromJson(method.input, request as JsonValue)
  return same(await playEverywhere(endpoint, method, { message }, { 'x-request-id': 'req-1', ...headers }))
}

function same(played: readonly Played[]): Omit<Played, 'transport'> {
  expect(played.map(({ transport }) => transport)).toEqual(transports)
  const [first, ...others] = played.map(comparable)
  if (first === undefined) throw new Error('nothing was played')
  for (const [index, other] of others.entries()) expect(other, transports[index + 1]).toEqual(first)
  expect(first).toMatchObject({ requestId: 'req-1', hasRequestId: true })
  if (first.code !== 'OK') expect(first.reason).not.toBe('')
  return first
}

const has = (method: DescMethod, field: string) => method.input.fields.some(({ name }) => name === field)
/** Failures inside an answer are compared by themselves, below. */
const answersPerItem = ({ name }: DescMethod) => name === 'BatchAuthorize'
const reads = /^(?:Get|List|BatchGet|Verify|Authorize|BatchAuthorize)/

describe.each(everyMethod.map((method) => [methodName(method), method] as const))('%s', (_name, method) => {
  test('no credential and a bad one', async () => {
    expect(await play(method, requestOf(method), {})).toMatchObject({
      code: 'UNAUTHENTICATED',
      reason: 'CREDENTIAL_MISSING',
    })
    const bad = await play(method, requestOf(method), bearer('nobody'))
    expect(bad).toMatchObject({ code: 'UNAUTHENTICATED', reason: 'CREDENTIAL_INVALID' })
  })

  test('a name that never was, for the root and for a tenant', async () => {
    for (const field of fieldsOfRequest(method.input)) {
      const shape = field.nameShapes.findLast((each) => each.startsWith('tenants/'))
      if (shape === undefined || field.path.endsWith('roles') || answersPerItem(method)) continue
      const never = ['never-was', '00000000-0000-7000-8000-00000000dead', '999999']
        .map((id) => shape.replace(/\{\}$/, id).replaceAll('{}', 'never-was'))
        .find((name) => new RegExp(field.pattern).test(name))
      const request = withField(requestOf(method), field, never)
      const rehearsed = has(method, 'validate_only') ? { ...request, validateOnly: true } : request
      // Without a rehearsal only the field that decides is safe to play five times.
      if (rehearsed === request && !reads.test(method.name) && field.path.includes('.')) continue
      for (const key of [server.rootKey, acme.ownerKey]) aliased(await playAliased(method, rehearsed, bearer(key)))
    }
  })

  test('a permission that is missing, and a method of the platform for a tenant', async () => {
    for (const key of answersPerItem(method) ? [] : [acme.viewerKey, acme.prodKey]) {
      const request = has(method, 'validate_only') ? { ...requestOf(method), validateOnly: true } : requestOf(method)
      const refused = {
        ...(has(method, 'etag') ? { etag: 'stale' } : {}),
        ...(has(method, 'expected_latest') ? { expectedLatest: '9' } : {}),
      }
      aliased(await playAliased(method, { ...request, ...refused }, bearer(key)))
    }
  })

  test('a broken field', async () => {
    for (const field of fieldsOfRequest(method.input).filter(({ pattern }) => pattern !== '')) {
      const answer = await play(method, withField(requestOf(method), field, '\t-/-\t'), bearer(server.rootKey))
      expect(answer, field.path).toMatchObject({ code: 'INVALID_ARGUMENT', reason: 'INVALID_FIELD' })
      expect(answer.details, field.path).toMatchObject([{ type: 'google.rpc.BadRequest' }])
    }
  })

  test('an unknown field in JSON', async () => {
    const json = JSON.stringify({ ...requestOf(method), nothingLikeThis: 1 })
    const headers = { 'x-request-id': 'req-1', ...bearer(server.rootKey) }
    const played = await playEverywhere(endpoint, method, { json }, headers)
    expect(played).toMatchObject([{ code: 'INVALID_ARGUMENT', reason: 'MALFORMED_REQUEST', requestId: 'req-1' }])
  })

  test('an etag that is stale', async () => {
    if (!has(method, 'etag')) return
    const answer = await play(method, { ...requestOf(method), etag: 'stale' }, bearer(server.rootKey))
    expect(answer).toMatchObject({
      reason: expect.stringMatching(/ETAG_MISMATCH|NOT_FOUND|SYSTEM_RESOURCE|INVALID_STATE/),
    })
  })

  test('success, or what stands in its way', async () => {
    if (reads.test(method.name)) {
      aliased(await playAliased(method, requestOf(method), bearer(server.rootKey)))
      aliased(await playAliased(method, requestOf(method), bearer(acme.ownerKey)))
    } else if (has(method, 'validate_only')) {
      aliased(await playAliased(method, { ...requestOf(method), validateOnly: true }, bearer(server.rootKey)))
    }
  })
})

function playAliased(method: DescMethod, request: Json, headers: Headers): Promise<readonly Played[]> {
  const message = fromJson(method.input, request as JsonValue)
  return playEverywhere(endpoint, method, { message }, { 'x-request-id': 'req-1', ...headers })
}

test('a failure inside an answer is the same in JSON as in bytes', async () => {
  const { batchAuthorize } = AccessService.method
  const items = [acme.name, 'tenants/globex', ''].map((parent) => ({
    request: { parent, principal: { user: acme.alice } },
  }))
  const json = await callJson(server.httpUrl, batchAuthorize, JSON.stringify({ items }), bearer(acme.ownerKey))
  using grpc = openRawGrpc(endpoint.grpcPort)
  const bytes = toBinary(batchAuthorize.input, fromJson(batchAuthorize.input, { items }))
  const answer = fromBinary(
    batchAuthorize.output,
    (await grpc.call(batchAuthorize, bytes, bearer(acme.ownerKey))).answer,
  )
  const registry = createRegistry(file_google_rpc_error_details)
  expect(answer.items.map(({ result }) => result.case)).toEqual(['response', 'error', 'error'])
  expect(json).toMatchObject({ code: 'ok' })
  expect(JSON.parse(json.body)).toEqual(toJson(batchAuthorize.output, answer, { registry }))
})

test('most methods were seen to succeed on every transport', async () => {
  const succeeded: string[] = []
  for (const method of everyMethod) {
    const request = has(method, 'validate_only') ? { ...requestOf(method), validateOnly: true } : requestOf(method)
    if (!reads.test(method.name) && !has(method, 'validate_only')) continue
    const played = await playAliased(method, request, bearer(server.rootKey))
    if (played.every(({ code }) => code === 'OK')) succeeded.push(methodName(method))
  }
  expect(succeeded.length).toBeGreaterThan(22)
})

const changes = everyMethod.filter((method) => !reads.test(method.name) && has(method, 'request_id'))

describe('a change that happens', () => {
  test.each(changes.map((method) => [methodName(method), method] as const))('%s', async (_name, method) => {
    // A place of its own for each transport, made alike: what is done five times is done to five things that are the same.
    const played: Played[] = []
    const reused: Played[] = []
    for (const [index, transport] of transports.entries()) {
      const slug = `${method.name.toLowerCase().slice(0, 40)}-${index}`
      const tenant = await seedTenant(server, slug)
      const found = await takeInventory(server.httpUrl, tenant.ownerKey, tenant.name)
      const own = namesOf([tenant.name, ...found], tenant.name)
      const request = makeRequest(method, { names: own, place: tenant.name })
      const id = method.input.fields.find(({ name }) => /^(?!request).*_id$/.test(name))
      const made = id === undefined ? request : { ...request, [id.jsonName]: idOf(id.jsonName, index) }
      const message = fromJson(method.input, { ...made, requestId: `once-${index}` } as JsonValue)
      const headers = { 'x-request-id': 'req-1', ...bearer(server.rootKey) }
      played.push(await playOne(endpoint, transport, method, { message }, headers))
      const again = await playOne(endpoint, transport, method, { message }, headers)
      if (played[index]?.code === 'OK') expect(again.code, `${transport}: the same request id again`).toBe('OK')
      const other = otherBody(method, made)
      if (other === undefined) continue
      const changed = fromJson(method.input, { ...other, requestId: `once-${index}` } as JsonValue)
      reused.push(await playOne(endpoint, transport, method, { message: changed }, headers))
    }
    aliased(played)
    if (reused.length > 0) aliased(reused)
    if (reused.length > 0 && played[0]?.code === 'OK')
      expect(reused[0]).toMatchObject({ code: 'INVALID_ARGUMENT', reason: 'REQUEST_ID_REUSED' })
  })
})

function idOf(field: string, index: number): string {
  return field === 'permissionId' ? `parity.v${index}` : `parity-new-${index}`
}

/** The same request but for one harmless field: of an etag, or of who is to be told. */
function otherBody(method: DescMethod, request: Json): Json | undefined {
  if (has(method, 'etag')) return { ...request, etag: 'other' }
  return has(method, 'validate_only') ? { ...request, validateOnly: true } : undefined
}
