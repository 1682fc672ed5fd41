import { create } from '@bufbuild/protobuf'
import { describe, expect, test } from 'vitest'
import { TenureError } from '../../../src/base/errors.ts'
import { Health } from '../../../src/gen/grpc/health/v1/health_pb.ts'
import { AuthorizeRequestSchema } from '../../../src/gen/tenure/v1/access_service_pb.ts'
import {
  CreateWorkspaceRequestSchema,
  GetWorkspaceRequestSchema,
  UpdateWorkspaceRequestSchema,
} from '../../../src/gen/tenure/v1/workspace_service_pb.ts'
import { fullMethodName } from '../../../src/rpc/builtin-policies.ts'
import { pipelineSteps } from '../../../src/rpc/pipeline.ts'
import { canonicalBytes } from '../../../src/rpc/steps/idempotency.ts'
import { createSmallPipeline, prodWorkspaceId } from '../../parity/small-server.ts'
import { begin, call, createOne, get, prod, workspaces } from './pipeline-calls.ts'

describe('the steps', () => {
  test('run in one order, the credential before the body', () => {
    expect(pipelineSteps.map((step) => step.name)).toEqual([
      'requestId',
      'deadline',
      'authenticate',
      'decode',
      'validate',
      'resolveTenant',
      'authorize',
      'freshness',
      'limit',
      'idempotency',
      'handle',
      'account',
      'audit',
      'mapErrors',
      'observe',
    ])
  })

  test('that do not apply to a method are left out', () => {
    const { methods } = createSmallPipeline().pipeline
    const health = methods.get(fullMethodName(Health.method.check))?.stepNames
    expect(health).toEqual(['requestId', 'deadline', 'decode', 'validate', 'handle', 'mapErrors', 'observe'])
    expect(methods.get('tenure.v1.AccessService/Authorize')?.stepNames).not.toContain('idempotency')
    expect(methods.get('tenure.v1.AccessService/BatchAuthorize')?.stepNames).not.toContain('authorize')
  })

  test('that all answer at once answer in the same turn', () => {
    const small = createSmallPipeline()
    const { state, run } = begin(small, 'tenure.v1.AccessService/Authorize', AuthorizeRequestSchema, {
      parent: prod,
      credential: { case: 'apiKey', value: 'k' },
    })
    expect(run()).toBeUndefined()
    expect(state.failure).toBeUndefined()
    expect(state.answerBytes?.length).toBeGreaterThan(0)
  })
})

describe('the place of a call', () => {
  test.each([
    ['a platform caller without a place', 'Bearer root', '', 'OK'],
    ['a tenant caller without a place', 'Bearer admin', '', 'OK'],
    ['nobody without a place', 'Bearer nobody', '', 'CREDENTIAL_INVALID'],
    ['a tenant', 'Bearer admin', 'tenants/acme', 'OK'],
    ['a workspace', 'Bearer admin', prod, 'OK'],
    ['a foreign tenant', 'Bearer admin', 'tenants/other', 'NOT_FOUND'],
  ])('of Authorize: %s', async (_name, authorization, parent, outcome) => {
    const request = { parent, credential: { case: 'apiKey', value: 'k' } } as const
    const state = await call(
      createSmallPipeline(),
      'tenure.v1.AccessService/Authorize',
      AuthorizeRequestSchema,
      request,
      { authorization },
    )
    expect(state.failure?.reason ?? 'OK').toBe(outcome)
    if (outcome === 'OK') expect(state.context?.tenantSlug ?? '').toBe(parent === '' ? '' : 'acme')
  })

  test('is that of the nested name in an update, which must be there', async () => {
    const small = createSmallPipeline()
    const update = `${workspaces}/UpdateWorkspace`
    const state = await call(small, update, UpdateWorkspaceRequestSchema, { workspace: { name: prod } })
    expect(state.context).toMatchObject({ tenantSlug: 'acme', workspaceSlug: 'prod', workspaceId: prodWorkspaceId })
    expect(Object.isFrozen(state.context)).toBe(true)
    expect((await call(small, update, UpdateWorkspaceRequestSchema, {})).failure?.reason).toBe('INVALID_FIELD')
    expect((await call(small, update, UpdateWorkspaceRequestSchema, { workspace: { name: '' } })).failure?.reason).toBe(
      'INVALID_FIELD',
    )
  })
})

describe('idempotency', () => {
  const keyOf = async (more: { requestId?: string }, authorization = 'Bearer admin', workspaceId = 'new-one') => {
    const small = createSmallPipeline()
    await createOne(small, workspaceId, more, { authorization })
    return small.calls[0]?.call.idempotency
  }
  const hex = (bytes: Uint8Array | undefined) => Buffer.from(bytes ?? []).toString('hex')

  test('a request id gives the same key and hash again, another body another hash, another caller another key', async () => {
    const first = await keyOf({ requestId: 'a' })
    expect(hex(first?.key)).toHaveLength(64)
    expect(await keyOf({ requestId: 'a' })).toEqual(first)
    const otherBody = await keyOf({ requestId: 'a' }, 'Bearer admin', 'new-two')
    expect(hex(otherBody?.key)).toBe(hex(first?.key))
    expect(hex(otherBody?.requestHash)).not.toBe(hex(first?.requestHash))
    expect(hex((await keyOf({ requestId: 'a' }, 'Bearer root'))?.key)).not.toBe(hex(first?.key))
    expect(await keyOf({})).toBeUndefined()
  })

  test('maps written in another order are the same request', () => {
    const request = (labels: Record<string, string>) => create(CreateWorkspaceRequestSchema, { workspace: { labels } })
    const bytes = (labels: Record<string, string>) => hex(canonicalBytes(CreateWorkspaceRequestSchema, request(labels)))
    expect(bytes({ b: '1', a: '2' })).toBe(bytes({ a: '2', b: '1' }))
    expect(bytes({ b: '1', a: '2' })).not.toBe(bytes({ a: '1', b: '2' }))
  })
})

describe('the end of a call', () => {
  test('at the deadline: the handler is told, its place in the limiter stays taken', async () => {
    const small = createSmallPipeline({ maxDeadlineMs: 30, maxWritesInFlight: 1 })
    const state = await createOne(small, 'never-one')
    expect(state.failure?.reason).toBe('DEADLINE_EXCEEDED')
    expect(small.calls[0]?.call.signal.aborted).toBe(true)
    const next = await createOne(small, 'new-one')
    expect(next.failure).toMatchObject({ code: 'RESOURCE_EXHAUSTED', reason: 'OVERLOADED' })
    expect(next.failure?.details.map((detail) => detail.desc.typeName)).toEqual([
      'google.rpc.ErrorInfo',
      'google.rpc.QuotaFailure',
      'google.rpc.RetryInfo',
    ])
    expect((await get(small, prod)).failure).toBeUndefined()
  })

  test('a deadline that has passed: the handler is not asked', async () => {
    const small = createSmallPipeline()
    const state = await createOne(small, 'new-one', {}, { deadlineMs: Date.now() - 1 })
    expect(state.failure?.reason).toBe('DEADLINE_EXCEEDED')
    expect(small.calls).toEqual([])
  })

  test('expired or cancelled while a step waited: the handler is not asked', async () => {
    const small = createSmallPipeline()
    const { state, run } = begin(
      small,
      `${workspaces}/GetWorkspace`,
      GetWorkspaceRequestSchema,
      { name: prod },
      { authorization: 'Bearer slow-admin' },
    )
    const pending = run()
    state.stop(new TenureError('CANCELLED', 'gone'))
    await pending
    await new Promise((resolve) => setImmediate(resolve))
    expect(state.failure?.reason).toBe('CANCELLED')
    expect(small.calls).toEqual([])
  })

  test('a place in the limiter is given back by every end', async () => {
    const small = createSmallPipeline({ maxWritesInFlight: 1, maxReadsInFlight: 1 })
    for (const id of ['new-one', 'broken-one', 'taken-one', 'new-one']) {
      expect((await createOne(small, id)).failure?.reason).not.toBe('OVERLOADED')
      const waited = await createOne(small, id, {}, { authorization: 'Bearer slow-admin' })
      expect(waited.failure?.reason).not.toBe('OVERLOADED')
      expect((await get(small, prod)).failure).toBeUndefined()
      expect((await get(small, 'tenants/other/workspaces/prod')).failure?.reason).toBe('NOT_FOUND')
    }
  })

  test('metrics count it by method and code, and no tenant is a label', async () => {
    const small = createSmallPipeline()
    await get(small, prod)
    await get(small, 'tenants/other/workspaces/prod')
    const text = await small.metrics.text()
    expect(text).toContain('tenure_rpc_handled_total{method="tenure.v1.WorkspaceService/GetWorkspace",code="OK"} 1')
    expect(text).toContain('tenure_access_denials_total{reason="NOT_FOUND"} 1')
    expect(text).not.toContain('acme')
  })
})
