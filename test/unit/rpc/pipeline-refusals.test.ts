import { describe, expect, test } from 'vitest'
import { ListWorkspacesRequestSchema } from '../../../src/gen/tenure/v1/workspace_service_pb.ts'
import { createSmallPipeline, prodWorkspaceId } from '../../parity/small-server.ts'
import { call, createOne, get, prod, workspaces } from './pipeline-calls.ts'

describe('x-workspace-id', () => {
  test.each([
    ['the slug', prod, 'prod', 'OK'],
    ['the uid', prod, prodWorkspaceId, 'OK'],
    ['another slug', prod, 'dev', 'WORKSPACE_MISMATCH'],
    ['another uid', prod, '018f0000-0000-7000-8000-0000000000bb', 'WORKSPACE_MISMATCH'],
    ['nonsense', prod, "' or 1=1", 'WORKSPACE_MISMATCH'],
    ['twice', prod, 'prod, prod', 'WORKSPACE_MISMATCH'],
    [
      "another slug, in a tenant that is not the caller's: no look-up",
      'tenants/other/workspaces/prod',
      'dev',
      'WORKSPACE_MISMATCH',
    ],
  ])('%s', async (_name, name, workspaceHeader, outcome) => {
    const small = createSmallPipeline()
    const state = await get(small, name, { workspaceHeader })
    expect(state.failure?.reason ?? 'OK').toBe(outcome)
    const denials = small.recorded.filter((event) => event.denied)
    expect(denials.map((event) => [event.reason, event.target])).toEqual(outcome === 'OK' ? [] : [[outcome, name]])
  })

  test('on a name without a workspace is a disagreement', async () => {
    const state = await call(
      createSmallPipeline(),
      `${workspaces}/ListWorkspaces`,
      ListWorkspacesRequestSchema,
      { parent: 'tenants/acme' },
      { workspaceHeader: 'prod' },
    )
    expect(state.failure?.reason).toBe('WORKSPACE_MISMATCH')
  })
})

describe('what is kept for the audit', () => {
  test.each([
    ['a probe for a foreign place', 'Bearer admin', 'tenants/other/workspaces/w11', [['NOT_FOUND', true]]],
    ['a look of the platform into a tenant', 'Bearer root', prod, [['', false]]],
    ['a look of the tenant itself: nothing', 'Bearer admin', prod, []],
    ['a bad credential: nothing, nobody is known', 'Bearer nobody', prod, []],
  ] as const)('%s', async (_name, authorization, name, kept) => {
    const small = createSmallPipeline()
    await get(small, name, { authorization })
    expect(small.recorded.map((event) => [event.reason, event.denied])).toEqual(kept)
    for (const event of small.recorded) {
      expect(event).toMatchObject({
        event: 'workspaces.get',
        target: name,
        actor: { requestId: 'req-1', clientIp: '10.0.0.1' },
      })
    }
  })

  test('a missing permission and a grant beyond the caller, but no successful write: its own transaction keeps that', async () => {
    const small = createSmallPipeline()
    await createOne(small, 'new-one', {}, { authorization: 'Bearer reader' })
    await createOne(small, 'large-grant')
    await createOne(small, 'new-one', {}, { authorization: 'Bearer root' })
    expect(small.recorded.map((event) => event.reason)).toEqual(['PERMISSION_MISSING', 'GRANT_EXCEEDS_CALLER'])
  })

  test('an answer whose audit cannot be kept is not given', async () => {
    const small = createSmallPipeline()
    small.recorded.push = () => {
      throw new Error('disk full')
    }
    const looked = await get(small, prod, { authorization: 'Bearer root' })
    expect(looked.failure?.reason).toBe('INTERNAL')
    expect(looked.answerBytes).toBeUndefined()
    expect((await get(small, 'tenants/other/workspaces/prod')).failure?.reason).toBe('NOT_FOUND')
  })
})
