import type { DescMethod } from '@bufbuild/protobuf'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { AuditEvent_Outcome } from '../../src/gen/tenure/v1/audit_event_pb.ts'
import { AuditService } from '../../src/gen/tenure/v1/audit_service_pb.ts'
import { WorkspaceService } from '../../src/gen/tenure/v1/workspace_service_pb.ts'
import { everyMethod, methodName } from './caller.ts'
import { policyOf } from './foreign-table.ts'
import { expectUntouched } from './foreign-untouched.ts'
import { type ForeignCaller, type ForeignWorld, openForeignWorld } from './foreign-world.ts'
import { fieldsOfRequest, type RequestField } from './request-fields.ts'
import { type Json, makeRequest, withField } from './request-maker.ts'
import { everyWire } from './wires.ts'

// A credential, a header and a body that do not mean the same place: refused, and known to the tenant afterwards.

let world: ForeignWorld
const strangersUids: string[] = []
let ownUid: string

beforeAll(async () => {
  world = await openForeignWorld()
  for (const name of [`${world.globex.name}/workspaces/prod`, `${world.acme.name}/workspaces/test`]) {
    const { workspace } = await world.server.client(WorkspaceService).getWorkspace({ name })
    strangersUids.push(workspace?.uid ?? '')
  }
  const name = `${world.acme.name}/workspaces/prod`
  ownUid = (await world.server.client(WorkspaceService).getWorkspace({ name })).workspace?.uid ?? ''
})

afterAll(() => world[Symbol.asyncDispose]())

/** The field that says where the call acts; undefined: none does, or every caller may ask. */
function placeField(method: DescMethod): RequestField | undefined {
  const { tenantFrom, scopes } = policyOf(method)
  if (tenantFrom.kind !== 'field' || (!scopes.has('TENANT') && !scopes.has('WORKSPACE'))) return undefined
  return fieldsOfRequest(method.input).find(({ path }) => path === tenantFrom.path)
}

const placed = everyMethod.flatMap((method) => {
  const field = placeField(method)
  return field === undefined ? [] : [[methodName(method), method, field] as const]
})

const ownerBot = 'tenants/acme/serviceAccounts/owner-bot'
const owner = () => world.callers.find(({ name }) => name === 'owner key') as ForeignCaller
const root = () => world.callers.find(({ power }) => power === 'platform') as ForeignCaller

function eventOf(method: DescMethod): string {
  const { auditEvent, permission, name } = policyOf(method)
  return auditEvent || permission || name
}

/** What the tenant's audit says of this event that it did not say before. */
async function auditedDuring(method: DescMethod, principal: string, during: () => Promise<void>) {
  const events = async () => {
    const filter = `event = "${eventOf(method)}" AND principal = "${principal}"`
    const request = { parent: world.acme.name, filter, pageSize: 1000 }
    const { auditEvents, nextPageToken } = await world.server.client(AuditService).listAuditEvents(request)
    expect(nextPageToken).toBe('')
    return auditEvents
  }
  const before = new Set((await events()).map(({ name }) => name))
  await during()
  return (await events()).filter(({ name }) => !before.has(name))
}

/** A request that acts at the place, with harmless words in it. */
function requestAt(method: DescMethod, field: RequestField, power: 'own' | 'foreign'): Json {
  const { own, foreign } = world.tenants
  const request = makeRequest(method, { names: own, place: world.acme.name })
  const has = (name: string) => method.input.fields.some((each) => each.name === name)
  const rehearsed = { ...request, ...(has('validate_only') ? { validateOnly: true } : {}) }
  const safe = has('etag') ? { ...rehearsed, etag: 'stale' } : rehearsed
  if (power === 'own') return safe
  const shape = field.nameShapes.find((each) => each.startsWith('tenants/')) ?? ''
  return withField(safe, field, foreign.get(shape)?.[0])
}

function nameIn(request: Json, field: RequestField): string {
  return field.chain.reduce<unknown>((at, { jsonName }) => (at as Json | undefined)?.[jsonName], request) as string
}

describe.each(placed)('%s', (_name, method, field) => {
  test('x-workspace-id that means another place is refused on every wire, changes nothing and is audited', async () => {
    const request = requestAt(method, field, 'own')
    const target = nameIn(request, field)
    const before = await world.rows.state()
    const headers = ['never-was', ...strangersUids, '01900000-0000-7000-8000-00000000dead']
    const events = await auditedDuring(method, ownerBot, async () => {
      for (const [at, workspace] of headers.entries()) {
        const wire = everyWire[at % everyWire.length] ?? 'Connect JSON'
        const answer = await world.ask(wire, method, request, owner(), { 'x-workspace-id': workspace })
        expect([answer.code, answer.reason], `${wire} ${workspace}`).toEqual(['invalid_argument', 'WORKSPACE_MISMATCH'])
      }
    })
    expect(events.map(({ reason }) => reason)).toEqual(headers.map(() => 'WORKSPACE_MISMATCH'))
    for (const event of events) {
      expect(event).toMatchObject({ outcome: AuditEvent_Outcome.DENIED, target })
      expect(event.requestId).toBe('attack-1')
    }
    expect(await world.rows.state()).toEqual(before)
  })

  test('a body that names another tenant is refused on every wire, changes nothing, and the tenant of the credential has it in its audit', async () => {
    const request = requestAt(method, field, 'foreign')
    const target = nameIn(request, field)
    const before = await world.rows.state()
    const events = await auditedDuring(method, ownerBot, async () => {
      for (const wire of everyWire) {
        const answer = await world.ask(wire, method, request, owner())
        expect([answer.code, answer.reason], wire).toEqual(['not_found', 'NOT_FOUND'])
      }
    })
    expect(events.map(({ reason, target: at }) => [reason, at])).toEqual(everyWire.map(() => ['NOT_FOUND', target]))
    expect(await world.rows.state()).toEqual(before)
  })

  test('what the platform looks at in a tenant stands in the audit of that tenant', async () => {
    const { limitClass, auditEvent } = policyOf(method)
    if (limitClass === 'WRITE' || auditEvent === '') return
    const request = requestAt(method, field, 'own')
    const looks = await auditedDuring(method, 'serviceAccounts/root', async () => {
      const { code, reason } = await world.ask('native gRPC', method, request, root())
      expect([code, reason]).toEqual(['ok', ''])
    })
    // The question before is a look of the platform, too.
    expect(looks.length).toBe(method.name === 'ListAuditEvents' ? 2 : 1)
    const seen = looks.filter(({ requestId }) => requestId === 'attack-1').map(({ outcome }) => outcome)
    expect(seen).toEqual([AuditEvent_Outcome.SUCCESS])
  })
})

test('a key of one workspace with a header that names another is refused and audited, also where the credential alone says the place', async () => {
  const stranger = world.callers.find(({ name }) => name === 'workspace key') as ForeignCaller
  const fromCredential = everyMethod.filter((method) => policyOf(method).tenantFrom.kind === 'credential')
  expect(fromCredential.length).toBeGreaterThan(0)
  for (const method of fromCredential) {
    const request = makeRequest(method, { names: world.tenants.own, place: stranger.place })
    const events = await auditedDuring(method, ownerBot, async () => {
      for (const workspace of ['test', 'never-was', ...strangersUids]) {
        const answer = await world.ask('Connect binary', method, request, stranger, { 'x-workspace-id': workspace })
        expect([answer.code, answer.reason], workspace).toEqual(['invalid_argument', 'WORKSPACE_MISMATCH'])
      }
    })
    expect(events.map(({ reason }) => reason)).toEqual(Array(4).fill('WORKSPACE_MISMATCH'))
    for (const workspace of ['prod', ownUid]) {
      const answer = await world.ask('Connect binary', method, request, stranger, { 'x-workspace-id': workspace })
      expect([answer.code, workspace]).toEqual(['ok', workspace])
    }
  }
})

test('the tables were not empty, the refusals of platform methods are audited too, and the other tenant knows of none of it', async () => {
  expect(placed.length).toBeGreaterThan(50)
  const platformOnly = everyMethod.filter((method) =>
    [...policyOf(method).scopes].every((scope) => scope === 'PLATFORM'),
  )
  expect(platformOnly.length).toBeGreaterThan(5)
  for (const method of platformOnly) {
    const request = makeRequest(method, { names: world.tenants.foreign, place: world.globex.name })
    const events = await auditedDuring(method, ownerBot, async () => {
      const { code, reason } = await world.ask('gRPC-Web', method, request, owner())
      expect([code, reason], methodName(method)).toEqual(['permission_denied', 'PERMISSION_MISSING'])
    })
    expect(
      events.map(({ reason }) => reason),
      methodName(method),
    ).toEqual(['PERMISSION_MISSING'])
  }
  await expectUntouched(world, 400)
})
