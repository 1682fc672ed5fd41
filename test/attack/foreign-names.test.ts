import type { DescMethod } from '@bufbuild/protobuf'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ownPermissions } from '../../src/access/own-permissions.ts'
import { MembershipService } from '../../src/gen/tenure/v1/membership_service_pb.ts'
import { RoleService } from '../../src/gen/tenure/v1/role_service_pb.ts'
import { TenantService } from '../../src/gen/tenure/v1/tenant_service_pb.ts'
import { UserService } from '../../src/gen/tenure/v1/user_service_pb.ts'
import { WorkspaceService } from '../../src/gen/tenure/v1/workspace_service_pb.ts'
import { compilePolicies, type MethodPolicy } from '../../src/rpc/method-policy.ts'
import { tenureServices } from '../../src/rpc/services.ts'
import { seedKey, seedPermissions, seedSecret, seedTenant, type TenantFixture } from '../support/fixture.ts'
import { startTestServer, type TestServer } from '../support/test-server.ts'
import { type Answer, bearer, callJson, everyMethod, methodName } from './caller.ts'
import { type ForeignPair, foreignPairs, looksLikeName, type TwoTenants } from './foreign-values.ts'
import { namesOf, takeInventory } from './inventory.ts'
import { fieldsOfRequest, type RequestField } from './request-fields.ts'
import { type Json, makeRequest, withField } from './request-maker.ts'
import { openStoredRows, type StoredRows } from './stored-rows.ts'

let server: TestServer
let acme: TenantFixture
let globex: TenantFixture
let tenants: TwoTenants
let rows: StoredRows
let globexBefore: string
let inventory: readonly string[]
const policies = compilePolicies(tenureServices, new Set(ownPermissions.map(({ name }) => name)))
const heard: string[] = []
const secretName = 'Globex Confidential Holding'

beforeAll(async () => {
  server = await startTestServer()
  await seedPermissions(server)
  acme = await seedTenant(server, 'acme')
  globex = await seedTenant(server, 'globex')
  for (const tenant of [acme, globex]) await seedMore(tenant)
  await server.client(TenantService).updateTenant({ tenant: { name: globex.name, displayName: secretName } })
  inventory = await takeInventory(server.httpUrl, server.rootKey)
  tenants = { own: namesOf(inventory, acme.name), foreign: namesOf(inventory, globex.name) }
  rows = await openStoredRows(server.databaseUrl)
  globexBefore = await rows.hash(globex.uid)
})

afterAll(async () => {
  await rows[Symbol.asyncDispose]()
  await server[Symbol.asyncDispose]()
})

/** Things that the other tenant has no twin of, so that a child under the wrong parent is a child that is not there. */
async function seedMore({ name, slug }: TenantFixture): Promise<void> {
  const only = `${slug}-only`
  const at = `${name}/workspaces/${only}`
  await server.client(WorkspaceService).createWorkspace({ parent: name, workspaceId: only })
  await server.client(RoleService).createRole({ parent: name, roleId: only, role: { permissions: ['orders.read'] } })
  const user = { issuer: 'https://idp.example', subject: only, email: `${only}@${slug}.example` }
  await server.client(UserService).createUser({ parent: name, userId: only, user })
  const membership = {
    member: { case: 'user' as const, value: `${name}/users/${only}` },
    roles: [`${name}/roles/${only}`],
  }
  for (const parent of [name, at]) {
    await server.client(MembershipService).createMembership({ parent, membershipId: only, membership })
  }
  await seedKey(server, at, `${name}/serviceAccounts/owner-bot`)
  await seedSecret(server, at, only)
}

async function ask(method: DescMethod, body: Json, key: string): Promise<Answer> {
  const answer = await callJson(server.httpUrl, method, JSON.stringify(body), bearer(key))
  heard.push(answer.body)
  return answer
}

interface Caller {
  readonly key: string
  readonly place: string
}

function callers(): readonly (Caller & { name: string })[] {
  return [
    { name: 'owner key', key: acme.ownerKey, place: acme.name },
    { name: 'workspace key', key: acme.prodKey, place: `${acme.name}/workspaces/prod` },
  ]
}

function policyOf(method: DescMethod): MethodPolicy {
  const policy = policies.get(`${method.parent.typeName}/${method.name}`)
  if (policy === undefined) throw new Error(`${method.name} has no policy`)
  return policy
}

const ofItsOwn: ReadonlySet<string> = new Set(
  'name uid etag nextPageToken createTime updateTime revision secret prefix displayName'.split(' '),
)

/** All of a failure; of a success all but what two of the same request differ in: ids, times, versions. */
function comparable({ code, body, seen }: Answer): string {
  if (code !== 'ok') return seen
  return JSON.stringify(JSON.parse(body), (key, value: unknown) => (ofItsOwn.has(key) ? undefined : value))
}

/** Empty: as it must be. */
async function faultOf(caller: Caller, method: DescMethod, field: RequestField, pair: ForeignPair): Promise<string> {
  const policy = policyOf(method)
  const made = () => makeRequest(method, { names: tenants.own, place: caller.place })
  // The name of what is to be made is the server's to say: sent or not, it changes nothing.
  const isOutput = /^(?:Batch)?Create/.test(method.name) && field.path.endsWith('.name')
  const hasRehearsal = method.input.fields.some(({ name }) => name === 'validate_only')
  const base = () => (isOutput && hasRehearsal ? { ...made(), validateOnly: true } : made())
  const existing = await ask(method, withField(base(), field, pair.existing), caller.key)
  const unknown = isOutput ? base() : withField(base(), field, pair.unknown)
  const other = await ask(method, unknown, caller.key)
  if (comparable(existing) !== comparable(other)) return `told apart: ${existing.seen} ${other.seen}`
  if (isOutput) return existing.body.includes('globex') ? `repeats it: ${existing.body}` : ''
  const platformOnly = ![...policy.scopes].some((scope) => scope !== 'PLATFORM')
  if (existing.code === (platformOnly ? 'permission_denied' : 'not_found')) return ''
  const decides = policy.tenantFrom.kind === 'field' && policy.tenantFrom.path === field.path
  if (existing.code === 'ok' && !decides && isAnswerWithoutIt(policy, field, existing)) return ''
  return `${existing.code} ${existing.reason} ${existing.message}`
}

/** A question is answered with a denial; a field that cannot be changed is not read. */
function isAnswerWithoutIt({ limitClass, method }: MethodPolicy, field: RequestField, { body }: Answer): boolean {
  if (body.includes('globex')) return false
  if (limitClass === 'CHECK') return !body.includes('DECISION_ALLOW') && /DENY|"error"/.test(body)
  return method.name.startsWith('Update') && field.desc.oneof !== undefined
}

test('every field that can name a thing says what its names look like, and every method was understood', () => {
  const unreadable = everyMethod.flatMap((method) =>
    fieldsOfRequest(method.input)
      .filter(looksLikeName)
      .map(({ path }) => `${methodName(method)} ${path}`),
  )
  expect(unreadable).toEqual([])
  const naming = everyMethod.flatMap((method) =>
    fieldsOfRequest(method.input).flatMap((field) => foreignPairs(field, tenants).map((pair) => pair.case)),
  )
  expect(naming.length).toBeGreaterThan(250)
  for (const kind of ['existing', 'unknown tenant', 'their child under us', 'our child under them']) {
    expect(naming.filter((each) => each.startsWith(kind)).length, kind).toBeGreaterThan(30)
  }
})

const lists = everyMethod.filter(({ input }) => input.fields.some(({ name }) => name === 'filter'))

// First, while the caller's own audit events do not speak of the other tenant.
describe.each(lists.map((method) => [methodName(method), method] as const))('%s', (_name, method) => {
  test('a filter by a name of another tenant finds what a filter by no name finds', async () => {
    for (const { key, place } of callers()) {
      const base = makeRequest(method, { names: tenants.own, place })
      const fields = await filterFields(method, base, key)
      if (place === acme.name && method.name !== 'ListTenants') expect(fields.length).toBeGreaterThan(0)
      for (const [shape, [existing = '']] of tenants.foreign) {
        const unknown = existing.replace(/[^/]+$/, 'never-was')
        for (const condition of fields.flatMap((field) => ['=', '!=', '>'].map((operator) => `${field} ${operator}`))) {
          const one = await ask(method, { ...base, filter: `${condition} "${existing}"` }, key)
          const other = await ask(method, { ...base, filter: `${condition} "${unknown}"` }, key)
          expect(told(one, existing), `${condition} ${shape}`).toBe(told(other, unknown))
        }
      }
    }
  })
})

/** A refused field tells which there are. */
async function filterFields(method: DescMethod, base: Json, key: string): Promise<readonly string[]> {
  const { message } = await ask(method, { ...base, filter: 'nothing = "x"' }, key)
  return /it takes ([\w, ]+)$/.exec(message)?.[1]?.split(', ') ?? []
}

/** A refusal may repeat what was sent. */
function told(answer: Answer, sent: string): string {
  const { code, reason, message } = answer
  if (code === 'ok') return answer.body.replace(/"nextPageToken":"[^"]*"/, '')
  return JSON.stringify([code, reason, message.replaceAll(sent, 'SENT')])
}

describe.each(everyMethod.map((method) => [methodName(method), method] as const))('%s', (_name, method) => {
  test('names of another tenant are names that never were', async () => {
    const faults: string[] = []
    for (const field of fieldsOfRequest(method.input)) {
      for (const pair of foreignPairs(field, tenants)) {
        for (const caller of callers()) {
          const fault = await faultOf(caller, method, field, pair)
          if (fault !== '') faults.push(`${caller.name}, ${field.path} = ${pair.existing} (${pair.case}): ${fault}`)
        }
      }
    }
    expect(faults).toEqual([])
  })

  test('names of the platform tell a tenant nothing', async () => {
    for (const field of fieldsOfRequest(method.input)) {
      for (const [existing, unknown] of platformPairs(field)) {
        for (const { key, place } of callers()) {
          const base = makeRequest(method, { names: tenants.own, place })
          const one = await ask(method, withField(base, field, existing), key)
          const other = await ask(method, withField(base, field, unknown), key)
          expect(comparable(one), field.path).toBe(comparable(other))
          expect(one.body).not.toContain('DECISION_ALLOW')
        }
      }
    }
  })
})

function platformPairs(field: RequestField): [string, string][] {
  const platform = namesOf(inventory, '')
  const never = {
    'serviceAccounts/{}': 'serviceAccounts/never-was',
    'apiKeys/{}': 'apiKeys/00000000-0000-7000-8000-00000000dead',
  }
  return Object.entries(never)
    .filter(([shape]) => field.nameShapes.includes(shape))
    .map(([shape, unknown]) => [platform.get(shape)?.[0] ?? '', unknown])
}

test('after all of it the other tenant is as it was, unread and unknown', async () => {
  expect(await rows.hash(globex.uid)).toBe(globexBefore)
  const all = heard.join('\n')
  expect(heard.length).toBeGreaterThan(1500)
  for (const secret of [globex.uid, 'globex.example', secretName]) expect(all).not.toContain(secret)
  const strangers = await rows.rows(
    "SELECT principal FROM journal WHERE tenant_id = ? AND principal LIKE 'tenants/acme%'",
    globex.uid,
  )
  expect(strangers).toEqual([])
})
