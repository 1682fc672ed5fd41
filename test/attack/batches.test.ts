import { afterAll, beforeAll, expect, test } from 'vitest'
import { AccessService } from '../../src/gen/tenure/v1/access_service_pb.ts'
import { MembershipService } from '../../src/gen/tenure/v1/membership_service_pb.ts'
import { UserService } from '../../src/gen/tenure/v1/user_service_pb.ts'
import { seedPermissions, seedTenant, type TenantFixture } from '../support/fixture.ts'
import { reasonOf } from '../support/reason.ts'
import { startTestServer, type TestServer } from '../support/test-server.ts'
import { bearer } from './caller.ts'
import { openStoredRows } from './stored-rows.ts'
import { everyWire, openWires } from './wires.ts'

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

const own = 49

interface Item {
  readonly correlationId: string
  readonly response?: {
    readonly decision: string
    readonly context?: { readonly tenantUid: string; readonly principal: string }
  }
  readonly error?: { readonly code: number; readonly message: string }
}

test.each(everyWire)(
  'of 49 own questions and a foreign one only the foreign one is denied, wherever it stands, over %s',
  async (wire) => {
    using wires = openWires(server.server)
    // Twins: tenant, workspace and person are called the same but for the tenant, and so are the items.
    const question = (tenant: string) => ({
      parent: `${tenant}/workspaces/prod`,
      principal: { user: `${tenant}/users/alice` },
      permission: 'orders.read',
    })
    for (const at of [0, 25, own]) {
      const items = Array.from({ length: own }, () => ({ correlationId: 'same', request: question(acme.name) }))
      items.splice(at, 0, { correlationId: 'same', request: question(globex.name) })
      const answer = await wires.call(wire, AccessService.method.batchAuthorize, { items }, bearer(acme.ownerKey))
      const answered = (answer.body as unknown as { items: readonly Item[] }).items
      expect(answered.map(({ error }) => error?.code)).toEqual(items.map((_, index) => (index === at ? 5 : undefined)))
      for (const [index, { response }] of answered.entries()) {
        if (index === at) continue
        expect(response).toMatchObject({
          decision: 'DECISION_ALLOW',
          context: { tenantUid: acme.uid, principal: acme.alice },
        })
      }
      expect(answer.bytes.includes(globex.uid)).toBe(false)
    }
  },
)

test('the platform is answered of each tenant by itself, also where items differ in nothing but the tenant', async () => {
  const { items } = await server.client(AccessService).batchAuthorize({
    items: [acme, globex, acme, globex].flatMap(({ name }) =>
      ['alice', 'bob'].map((user) => ({
        request: {
          ...{ parent: `${name}/workspaces/prod`, permission: 'orders.read' },
          credential: {
            case: 'principal' as const,
            value: { kind: { case: 'user' as const, value: `${name}/users/${user}` } },
          },
        },
      })),
    ),
  })
  const uids = items.map(({ result }) =>
    result.case === 'response' ? (result.value.context?.tenantUid ?? '') : 'error',
  )
  expect(uids).toEqual([acme.uid, '', globex.uid, '', acme.uid, '', globex.uid, ''])
})

test('of 49 own memberships and one of a foreign person none is made, wherever it stands', async () => {
  const parent = `${acme.name}/workspaces/test`
  const roles = ['roles/viewer']
  for (let at = 0; at < own; at += 1) {
    const user = { issuer: 'https://idp.example', subject: `many-${at}` }
    await server.client(UserService).createUser({ parent: acme.name, userId: `many-${at}`, user })
  }
  await using rows = await openStoredRows(server.databaseUrl)
  const before = await rows.hash()
  for (const [at, foreign] of [`${globex.name}/users/alice`, `${globex.name}/users/never-was`].entries()) {
    for (const position of [0, 25, own]) {
      const members = Array.from({ length: own }, (_, index) => `${acme.name}/users/many-${index}`)
      members.splice(position, 0, foreign)
      const requests = members.map((value) => ({ membership: { member: { case: 'user' as const, value }, roles } }))
      const batch = server.client(MembershipService, acme.ownerKey).batchCreateMemberships({ parent, requests })
      expect([at, position, await reasonOf(batch)]).toEqual([at, position, 'NOT_FOUND'])
    }
  }
  expect(await rows.hash()).toBe(before)
})
