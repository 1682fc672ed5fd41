import { afterAll, beforeAll, expect, test } from 'vitest'
import { AccessService, Decision } from '../../src/gen/tenure/v1/access_service_pb.ts'
import { AuditService } from '../../src/gen/tenure/v1/audit_service_pb.ts'
import { MembershipService } from '../../src/gen/tenure/v1/membership_service_pb.ts'
import { RoleService } from '../../src/gen/tenure/v1/role_service_pb.ts'
import { TenantService } from '../../src/gen/tenure/v1/tenant_service_pb.ts'
import { UserService } from '../../src/gen/tenure/v1/user_service_pb.ts'
import { WorkspaceService } from '../../src/gen/tenure/v1/workspace_service_pb.ts'
import { seedPermissions, seedTenant, type TenantFixture } from '../support/fixture.ts'
import { reasonOf } from '../support/reason.ts'
import { startTestServer, type TestServer } from '../support/test-server.ts'

let server: TestServer
let acme: TenantFixture

const issuer = 'https://idp.example'
/** To a database that folds case, accents, padding or normal forms some of these are the same. */
const lookAlikes = [
  'bob',
  'Bob',
  'BOB',
  'bob ',
  ' bob',
  'böb',
  'bo\u0308b',
  'bob\t',
  'bob\u00a0',
  'ｂｏｂ',
  'boß',
  'boss',
  'bo🎈b',
]

beforeAll(async () => {
  server = await startTestServer()
  await seedPermissions(server)
  acme = await seedTenant(server, 'acme')
})

afterAll(() => server[Symbol.asyncDispose]())

function ask(subject: string, from = issuer) {
  return server.client(AccessService).authorize({
    parent: `${acme.name}/workspaces/prod`,
    credential: { case: 'principal', value: { kind: { case: 'identity', value: { issuer: from, subject } } } },
    permission: 'orders.read',
  })
}

test('subjects that look alike are different people: each is made once, and only the one who joined is allowed', async () => {
  const users = server.client(UserService)
  const made: string[] = []
  for (const [index, subject] of lookAlikes.entries()) {
    const request = { parent: acme.name, userId: `look-${index}`, user: { issuer, subject } }
    const outcome = await reasonOf(users.createUser(request))
    if (outcome === 'OK') made.push(subject)
    else expect([subject, outcome]).toEqual([subject, 'INVALID_FIELD'])
  }
  for (const subject of ['bob', 'Bob', 'bob ', 'böb', 'bo\u0308b', 'boss', 'boß']) expect(made).toContain(subject)
  const [first = ''] = made
  const membership = { member: { case: 'user' as const, value: `${acme.name}/users/look-0` }, roles: ['roles/member'] }
  await server.client(MembershipService).createMembership({ parent: `${acme.name}/workspaces/prod`, membership })
  for (const subject of made) {
    const allowed = (await ask(subject)).decision === Decision.ALLOW
    expect([subject, allowed]).toEqual([subject, subject === first])
    const again = { parent: acme.name, userId: 'again', user: { issuer, subject } }
    expect([subject, await reasonOf(users.createUser(again))]).toEqual([subject, 'ALREADY_EXISTS'])
  }
  expect((await ask('bob', `${issuer}/`)).decision).toBe(Decision.DENY)
  expect((await ask('bob', 'https://IDP.example')).decision).toBe(Decision.DENY)
})

test('names are lower case ASCII or refused, and are found by their exact letters alone', async () => {
  const refused = ['Acme', 'ACME', 'acmé', 'acme ', ' acme', 'a\u0301cme', 'acme\u200b', 'ａｃｍｅ', 'acme\n']
  for (const tenantId of refused) {
    expect([tenantId, await reasonOf(server.client(TenantService).createTenant({ tenantId }))]).toEqual([
      tenantId,
      'INVALID_FIELD',
    ])
    const workspace = server.client(WorkspaceService).createWorkspace({ parent: acme.name, workspaceId: tenantId })
    expect([tenantId, await reasonOf(workspace)]).toEqual([tenantId, 'INVALID_FIELD'])
  }
  for (const name of ['tenants/Acme', 'tenants/acme ', 'tenants/acmé']) {
    expect(['INVALID_FIELD', 'NOT_FOUND']).toContain(await reasonOf(server.client(TenantService).getTenant({ name })))
  }
  for (const permissionId of ['Orders.read', 'orders.Read', 'orders.réad', 'orders.read ']) {
    const outcome = await reasonOf(server.client(RoleService).createPermission({ permissionId }))
    expect([permissionId, outcome]).toEqual([permissionId, 'INVALID_FIELD'])
  }
})

test('filters and orders compare code point by code point', async () => {
  const users = server.client(UserService)
  const emails = ['ab@x.example', 'AB@x.example', 'áb@x.example', 'zz@x.example']
  for (const [index, email] of emails.entries()) {
    await users.createUser({
      ...{ parent: acme.name, userId: `mail-${index}` },
      user: { issuer, subject: `mail-${index}`, email, displayName: email },
    })
  }
  const emailsBy = async (filter: string, orderBy = '') =>
    (await users.listUsers({ parent: acme.name, filter, orderBy, pageSize: 100 })).users.map(({ email }) => email)
  for (const email of emails) expect(await emailsBy(`email = "${email}"`)).toEqual([email])
  expect(await emailsBy('email = "ab*"')).toEqual(['ab@x.example'])
  const listed = (await emailsBy('email = "*"', 'email')).filter((email) => emails.includes(email))
  expect(listed).toEqual(['AB@x.example', 'ab@x.example', 'zz@x.example', 'áb@x.example'])
})

test('a filter may ask a name of ASCII for any text: nothing has it, nothing fails, and order is kept', async () => {
  const audit = server.client(AuditService)
  const count = async (filter: string) =>
    (await audit.listAuditEvents({ parent: acme.name, filter, pageSize: 1000 })).auditEvents.length
  const all = await count('')
  expect(await count('event = "users.créate"')).toBe(0)
  expect(await count('event != "users.créate"')).toBeGreaterThanOrEqual(all)
  expect(await count('event = "users.*"')).toBeGreaterThan(0)
  expect(await count('event = "usersé*"')).toBe(0)
  expect(await count('event = "🎈*"')).toBe(0)
})
