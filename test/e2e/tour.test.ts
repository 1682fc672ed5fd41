import { toBinary } from '@bufbuild/protobuf'
import { Code, ConnectError } from '@connectrpc/connect'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ErrorInfoSchema } from '../../src/gen/google/rpc/error_details_pb.ts'
import {
  AccessService,
  AuthorizeResponseSchema,
  ContextView,
  Decision,
  DecisionReason,
} from '../../src/gen/tenure/v1/access_service_pb.ts'
import { AuditService } from '../../src/gen/tenure/v1/audit_service_pb.ts'
import { MembershipService } from '../../src/gen/tenure/v1/membership_service_pb.ts'
import { TenantService } from '../../src/gen/tenure/v1/tenant_service_pb.ts'
import { seedPermissions, seedTenant, type TenantFixture } from '../support/fixture.ts'
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

function ask(workspace: string, user: string, permission: string, atLeastRevision = '') {
  return server.client(AccessService).authorize({
    parent: `${acme.name}/workspaces/${workspace}`,
    credential: { case: 'principal', value: { kind: { case: 'user', value: user } } },
    permission,
    atLeastRevision,
  })
}

test('a member is allowed what their role grants, by name and by outside identity', async () => {
  const byName = await ask('prod', acme.alice, 'orders.read')
  expect(byName.decision).toBe(Decision.ALLOW)
  expect(byName.reason).toBe(DecisionReason.GRANTED)
  expect(byName.context).toMatchObject({
    tenant: acme.name,
    tenantUid: acme.uid,
    workspaceSlug: 'prod',
    permissions: [],
  })
  const byIdentity = await server.client(AccessService).authorize({
    parent: `${acme.name}/workspaces/prod`,
    credential: {
      case: 'principal',
      value: { kind: { case: 'identity', value: { issuer: 'https://idp.example', subject: 'alice@acme' } } },
    },
    permission: 'orders.read',
    contextView: ContextView.FULL,
  })
  expect(byIdentity.context?.permissions).toEqual(['orders.read'])
})

test('a permission not held is PERMISSION_MISSING, one not in the catalogue PERMISSION_UNKNOWN', async () => {
  expect((await ask('prod', acme.alice, 'orders.write')).reason).toBe(DecisionReason.PERMISSION_MISSING)
  expect((await ask('prod', acme.alice, 'orders.fly')).reason).toBe(DecisionReason.PERMISSION_UNKNOWN)
})

test('not joined, of another tenant and not there are one answer to the byte', async () => {
  const answers = [
    await ask('test', acme.alice, 'orders.read'),
    await ask('prod', globex.alice, 'orders.read'),
    await ask('nowhere', acme.alice, 'orders.read'),
    await ask('prod', `${acme.name}/users/nobody`, 'orders.read'),
  ]
  const bytes = answers.map((answer) => Buffer.from(toBinary(AuthorizeResponseSchema, answer)).toString('hex'))
  expect(new Set(bytes).size).toBe(1)
  expect(answers[0]?.reason).toBe(DecisionReason.NO_ACCESS)
  expect(answers[0]?.context).toBeUndefined()
  expect(answers[0]?.revision).toBe('')
})

test('a batch answers each item by itself, in order', async () => {
  const item = (workspace: string, correlationId: string) => ({
    correlationId,
    request: {
      parent: `${acme.name}/workspaces/${workspace}`,
      credential: { case: 'principal' as const, value: { kind: { case: 'user' as const, value: acme.alice } } },
      permission: 'orders.read',
    },
  })
  const { items } = await server
    .client(AccessService)
    .batchAuthorize({ items: [item('prod', 'a'), item('test', 'b'), item('prod', 'c')] })
  const decisions = items.map(({ correlationId, result }) => [
    correlationId,
    result.case === 'response' ? result.value.decision : undefined,
  ])
  expect(decisions).toEqual([
    ['a', Decision.ALLOW],
    ['b', Decision.DENY],
    ['c', Decision.ALLOW],
  ])
})

test('a deleted membership denies at once with its revision', async () => {
  const members = server.client(MembershipService)
  const parent = `${acme.name}/workspaces/test`
  const { membership } = await members.createMembership({
    parent,
    membership: { member: { case: 'user', value: acme.bob }, roles: [`${acme.name}/roles/order-reader`] },
  })
  expect((await ask('test', acme.bob, 'orders.read')).decision).toBe(Decision.ALLOW)
  const { revision } = await members.deleteMembership({ name: membership?.name ?? '' })
  const after = await ask('test', acme.bob, 'orders.read', revision)
  expect(after.reason).toBe(DecisionReason.NO_ACCESS)
})

test('a revision of another tenant is refused', async () => {
  const { revision } = await server.client(TenantService).updateTenant({
    tenant: { name: globex.name, displayName: 'Globex' },
  })
  const failure = await ask('prod', acme.alice, 'orders.read', revision).catch((error: unknown) =>
    ConnectError.from(error),
  )
  expect(failure).toMatchObject({ code: Code.InvalidArgument })
  expect((failure as ConnectError).findDetails(ErrorInfoSchema)[0]?.reason).toBe('INVALID_REVISION')
})

test('every change stands in the audit chain of its tenant, and the chain verifies', async () => {
  const audit = server.client(AuditService)
  const { auditEvents } = await audit.listAuditEvents({
    parent: acme.name,
    filter: 'chain = "authority"',
    pageSize: 1000,
  })
  const sequences = auditEvents.map(({ sequence }) => Number(sequence)).reverse()
  expect(sequences).toEqual(sequences.map((_, index) => index + 1))
  const verdict = await audit.verifyAuditChain({ parent: acme.name })
  expect(verdict).toMatchObject({ valid: true, verifiedCount: BigInt(sequences.length) })
  expect((await audit.verifyAuditChain({ parent: '' })).valid).toBe(true)
})

test('the events of a workspace are its own: neither those of its tenant nor of the workspace beside it', async () => {
  const audit = server.client(AuditService)
  const events = async (parent: string) => (await audit.listAuditEvents({ parent, pageSize: 1000 })).auditEvents
  const inProd = await events(`${acme.name}/workspaces/prod`)
  expect(inProd.length).toBeGreaterThan(0)
  for (const { target } of inProd) expect(target).toContain('/workspaces/prod')
  const targets = new Set((await events(acme.name)).map(({ target }) => target))
  expect([...targets].some((target) => target.includes('/workspaces/test'))).toBe(true)
  expect(targets.has(`${acme.name}/users/alice`)).toBe(true)
})
