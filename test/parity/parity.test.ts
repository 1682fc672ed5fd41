import { create, toBinary, toJsonString } from '@bufbuild/protobuf'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { AccessService, AuthorizeRequestSchema } from '../../src/gen/tenure/v1/access_service_pb.ts'
import {
  CreateWorkspaceRequestSchema,
  DeleteWorkspaceRequestSchema,
  GetWorkspaceRequestSchema,
  WorkspaceService,
} from '../../src/gen/tenure/v1/workspace_service_pb.ts'
import { comparable, type PlayedRequest, playEverywhere } from './play.ts'
import { type Played, transports } from './played.ts'
import { type SmallServer, startSmallServer } from './small-server.ts'

let server: SmallServer
beforeAll(async () => {
  server = await startSmallServer({ limits: { maxDeadlineMs: 500 } })
})
afterAll(async () => server[Symbol.asyncDispose]())

const admin = { authorization: 'Bearer admin', 'x-request-id': 'req-1' }
const { createWorkspace, getWorkspace, deleteWorkspace } = WorkspaceService.method

function creating(workspaceId: string, parent = 'tenants/acme'): PlayedRequest {
  return { message: create(CreateWorkspaceRequestSchema, { parent, workspaceId, workspace: { displayName: 'x' } }) }
}

function getting(name: string): PlayedRequest {
  return { message: create(GetWorkspaceRequestSchema, { name }) }
}

function same(played: readonly Played[], count = transports.length): Omit<Played, 'transport'> {
  expect(played).toHaveLength(count)
  const [first, ...others] = played
  if (first === undefined) throw new Error('nothing was played')
  for (const other of others) expect(comparable(other), other.transport).toEqual(comparable(first))
  return comparable(first)
}

async function play(
  method: typeof createWorkspace | typeof getWorkspace,
  request: PlayedRequest,
  headers: Record<string, string> = admin,
) {
  return same(await playEverywhere(server.endpoint, method, request, headers))
}

describe('an answer is the same over every protocol', () => {
  test('a read: message and request id', async () => {
    const answer = await play(getWorkspace, getting('tenants/acme/workspaces/prod'))
    expect(answer).toMatchObject({ code: 'OK', requestId: 'req-1', revision: '' })
    expect(answer.message).toEqual({ workspace: { name: 'tenants/acme/workspaces/prod', displayName: 'Grüße 🎈' } })
  })

  test('a write: message and revision, after a promise', async () => {
    const answer = await play(createWorkspace, creating('new-one'), { ...admin, authorization: 'Bearer slow-admin' })
    expect(answer).toMatchObject({ code: 'OK', revision: 'rev-7' })
  })

  test('an answer that is encoded already: message and revision', async () => {
    const name = 'tenants/acme/workspaces/prod'
    const deleting = { message: create(DeleteWorkspaceRequestSchema, { name }) }
    expect(same(await playEverywhere(server.endpoint, deleteWorkspace, deleting, admin))).toMatchObject({
      code: 'OK',
      revision: 'rev-11',
    })
    const asking = {
      message: create(AuthorizeRequestSchema, { parent: name, credential: { case: 'apiKey', value: 'k' } }),
    }
    const answer = same(await playEverywhere(server.endpoint, AccessService.method.authorize, asking, admin))
    expect(answer.message).toEqual({ decision: 'DECISION_ALLOW', revision: 'r1' })
  })

  test('a request id of the server when the client sends none, or one that could forge a log line', async () => {
    for (const id of [undefined, 'a b', `x${'y'.repeat(64)}`, 'a"b']) {
      const headers =
        id === undefined ? { authorization: 'Bearer admin' } : { authorization: 'Bearer admin', 'x-request-id': id }
      for (const played of await playEverywhere(
        server.endpoint,
        getWorkspace,
        getting('tenants/acme/workspaces/prod'),
        headers,
      )) {
        expect(played.requestId, played.transport).toMatch(/^[0-9a-f-]{36}$/)
      }
    }
  })
})

describe('a failure is the same over every protocol', () => {
  test.each([
    [
      'no credential',
      getWorkspace,
      getting('tenants/acme/workspaces/prod'),
      { 'x-request-id': 'req-1' },
      'UNAUTHENTICATED',
      'CREDENTIAL_MISSING',
    ],
    [
      'a bad credential',
      getWorkspace,
      getting('tenants/acme/workspaces/prod'),
      { ...admin, authorization: 'Bearer nobody' },
      'UNAUTHENTICATED',
      'CREDENTIAL_INVALID',
    ],
    ['a broken field', createWorkspace, creating('-'), admin, 'INVALID_ARGUMENT', 'INVALID_FIELD'],
    ['a foreign tenant', getWorkspace, getting('tenants/other/workspaces/prod'), admin, 'NOT_FOUND', 'NOT_FOUND'],
    [
      'a missing permission',
      createWorkspace,
      creating('new-one'),
      { ...admin, authorization: 'Bearer reader' },
      'PERMISSION_DENIED',
      'PERMISSION_MISSING',
    ],
    [
      'a disagreeing workspace header',
      getWorkspace,
      getting('tenants/acme/workspaces/prod'),
      { ...admin, 'x-workspace-id': 'dev' },
      'INVALID_ARGUMENT',
      'WORKSPACE_MISMATCH',
    ],
    ['a precondition', createWorkspace, creating('stuck-one'), admin, 'FAILED_PRECONDITION', 'INVALID_STATE'],
    ['an etag', createWorkspace, creating('stale-one'), admin, 'ABORTED', 'ETAG_MISMATCH'],
    ['a name that is taken', createWorkspace, creating('taken-one'), admin, 'ALREADY_EXISTS', 'ALREADY_EXISTS'],
    ['staleness', createWorkspace, creating('busy-one'), admin, 'UNAVAILABLE', 'STALE'],
    [
      'the server limit on a call that never ends',
      createWorkspace,
      creating('never-one'),
      admin,
      'DEADLINE_EXCEEDED',
      'DEADLINE_EXCEEDED',
    ],
  ] as const)('%s', async (_name, method, request, headers, code, reason) => {
    const answer = await play(method, request, headers)
    expect(answer).toMatchObject({ code, reason, requestId: 'req-1', revision: '' })
    expect(answer.errorMessage).not.toBe('')
  })

  test('details: violations, preconditions, retry', async () => {
    const field = await play(createWorkspace, creating('-'))
    expect(field.details).toMatchObject([
      { type: 'google.rpc.BadRequest', value: { fieldViolations: [{ field: 'workspace_id' }] } },
    ])
    const precondition = await play(createWorkspace, creating('stuck-one'))
    expect(precondition.metadata).toEqual({ state: 'ARCHIVED' })
    expect(precondition.details).toMatchObject([{ type: 'google.rpc.PreconditionFailure' }])
    const stale = await play(createWorkspace, creating('busy-one'))
    expect(stale.details).toEqual([{ type: 'google.rpc.RetryInfo', value: { retryDelay: '1.500s' } }])
  })

  test('a broken invariant: one sentence and the request id, never the cause', async () => {
    const answer = await play(createWorkspace, creating('broken-one'))
    expect(answer).toMatchObject({ code: 'INTERNAL', reason: 'INTERNAL', details: [] })
    expect(answer.errorMessage).toBe('Something is broken on our side. Ask about request req-1.')
    const logged = server.small.logLines.filter((line) => line.includes('hunter2'))
    expect(logged).toHaveLength(transports.length)
    expect(JSON.parse(logged[0] ?? '{}')).toMatchObject({
      level: 'error',
      tenant: 'acme',
      workspace: '',
      requestId: 'req-1',
    })
  })

  test('ill-formed and overlong texts of ours do not break the transport', async () => {
    const ugly = await play(createWorkspace, creating('ugly-one'))
    expect(ugly.code).toBe('INVALID_ARGUMENT')
    expect(Buffer.byteLength(ugly.errorMessage)).toBeLessThanOrEqual(1024)
    const rich = await play(createWorkspace, creating('rich-one'))
    expect(Buffer.byteLength(JSON.stringify(rich.details))).toBeGreaterThan(1_000)
  })
})

describe('a body that is not the message is MALFORMED_REQUEST, and only for those who may know', () => {
  const invalidUtf8 = Buffer.from([0x0a, 0x02, 0xc3, 0x28])
  const truncated = toBinary(
    GetWorkspaceRequestSchema,
    create(GetWorkspaceRequestSchema, { name: 'tenants/acme' }),
  ).subarray(0, 6)
  test.each([
    ['invalid UTF-8', invalidUtf8],
    ['a truncated message', truncated],
    ['a wrong wire type', Buffer.from([0x08, 0x01])],
    ['an endless varint', Buffer.alloc(20, 0xff)],
  ])('bytes: %s', async (name, bytes) => {
    const played = await playEverywhere(server.endpoint, getWorkspace, { bytes }, admin)
    const answer = same(played, 4)
    // A known field with the wrong wire type is read as absent by protobuf; what remains is then a field rule.
    const reason = name === 'a wrong wire type' ? /MALFORMED_REQUEST|INVALID_FIELD/ : /MALFORMED_REQUEST/
    expect(answer).toMatchObject({ code: 'INVALID_ARGUMENT', requestId: 'req-1' })
    expect(answer.reason).toMatch(reason)
    const unknown = same(await playEverywhere(server.endpoint, getWorkspace, { bytes }, { 'x-request-id': 'req-1' }), 4)
    expect(unknown.reason).toBe('CREDENTIAL_MISSING')
  })

  test.each([
    ['no JSON', '{'],
    ['an unknown field', '{"name":"tenants/acme/workspaces/prod","nome":1}'],
    ['__proto__', '{"name":"tenants/acme/workspaces/prod","__proto__":{}}'],
    ['a duplicate field', '{"name":"tenants/acme/workspaces/prod","name":"tenants/acme/workspaces/dev"}'],
    ['a lone surrogate', '{"name":"tenants/acme/workspaces/\\ud800"}'],
    [
      'a lone surrogate in a text that no rule looks at',
      '{"name":"tenants/acme/workspaces/prod","atLeastRevision":"\\udc00"}',
    ],
    ['a lone surrogate raw', Buffer.from('{"name":"\xed\xa0\x80"}', 'latin1')],
    ['invalid UTF-8', Buffer.from('{"name":"\xff"}', 'latin1')],
    ['nesting without end', `{"name":${'['.repeat(5_000)}`],
    ['deep nesting', `{"name":${'['.repeat(5_000)}${']'.repeat(5_000)}}`],
    ['a number for a name', '{"name":1}'],
  ])('JSON: %s', async (_name, json) => {
    const answer = same(await playEverywhere(server.endpoint, getWorkspace, { json }, admin), 1)
    expect(answer).toMatchObject({ code: 'INVALID_ARGUMENT', reason: 'MALFORMED_REQUEST', requestId: 'req-1' })
    const unknown = same(await playEverywhere(server.endpoint, getWorkspace, { json }, { 'x-request-id': 'req-1' }), 1)
    expect(unknown.reason).toBe('CREDENTIAL_MISSING')
  })

  test('JSON: a lone surrogate where the decoder itself would take it', async () => {
    const json = '{"workspace":{"name":"tenants/acme/workspaces/prod"},"updateMask":"a\\ud800"}'
    const answer = same(
      await playEverywhere(server.endpoint, WorkspaceService.method.updateWorkspace, { json }, admin),
      1,
    )
    expect(answer).toMatchObject({ code: 'INVALID_ARGUMENT', reason: 'MALFORMED_REQUEST', requestId: 'req-1' })
  })

  test('the same text over every protocol, and a well-formed pair of surrogates is no fault', async () => {
    const json = '{"parent":"tenants/acme","workspaceId":"new-one","workspace":{"displayName":"\\ud83c\\udf88"}}'
    const answer = same(await playEverywhere(server.endpoint, createWorkspace, { json }, admin), 1)
    expect(answer.code).toBe('OK')
  })

  test('Connect GET: a message that is not base64', async () => {
    const { host, httpPort } = server.endpoint
    const get = (query: string) =>
      fetch(`http://${host}:${httpPort}/tenure.v1.WorkspaceService/GetWorkspace?connect=v1&${query}`, {
        headers: admin,
      })
    const json = toJsonString(
      GetWorkspaceRequestSchema,
      create(GetWorkspaceRequestSchema, { name: 'tenants/acme/workspaces/prod' }),
    )
    expect((await get(`encoding=json&message=${encodeURIComponent(json)}`)).status).toBe(200)
    for (const query of [
      'encoding=json&base64=1&message=%21%21',
      'encoding=proto&base64=1&message=A',
      'encoding=proto&message=%FF',
    ]) {
      const response = await get(query)
      expect(response.status, query).toBe(400)
      expect(await response.text()).toContain('"code":"invalid_argument"')
    }
  })
})
