import { afterAll, beforeAll, expect, test } from 'vitest'
import { AccessService, Decision, DecisionReason } from '../../src/gen/tenure/v1/access_service_pb.ts'
import { ApiKeyService } from '../../src/gen/tenure/v1/api_key_service_pb.ts'
import { AuditService } from '../../src/gen/tenure/v1/audit_service_pb.ts'
import { MembershipService } from '../../src/gen/tenure/v1/membership_service_pb.ts'
import { RoleService } from '../../src/gen/tenure/v1/role_service_pb.ts'
import { ServiceAccountService } from '../../src/gen/tenure/v1/service_account_service_pb.ts'
import { Tenant_State, Tenant_SuspensionMode } from '../../src/gen/tenure/v1/tenant_pb.ts'
import { TenantService } from '../../src/gen/tenure/v1/tenant_service_pb.ts'
import { UserService } from '../../src/gen/tenure/v1/user_service_pb.ts'
import { WorkspaceService } from '../../src/gen/tenure/v1/workspace_service_pb.ts'
import { seedKey, seedPermissions, seedTenant, type TenantFixture } from '../support/fixture.ts'
import { reasonOf } from '../support/reason.ts'
import { openSideDoor } from '../support/side-door.ts'
import { startTestServer, type TestServer } from '../support/test-server.ts'

let one: TestServer
let two: TestServer
let acme: TenantFixture

/** A change is seen by every server within this; the feed polls four times a second. */
const boundMs = 2_000

beforeAll(async () => {
  one = await startTestServer()
  two = await startTestServer({ folder: one.folder, env: { TENURE_REPLICA: 'replica-2' } })
  await seedPermissions(one)
  acme = await seedTenant(one, 'acme')
})

afterAll(async () => {
  await two[Symbol.asyncDispose]()
  await one[Symbol.asyncDispose]()
})

function ask(server: TestServer, user: string, atLeastRevision = '', permission = 'orders.read') {
  return server.client(AccessService).authorize({
    parent: `${acme.name}/workspaces/prod`,
    credential: { case: 'principal', value: { kind: { case: 'user', value: user } } },
    permission,
    atLeastRevision,
  })
}

async function soon(holds: () => Promise<boolean>): Promise<number> {
  const startMs = performance.now()
  while (performance.now() - startMs < boundMs) {
    if (await holds()) return performance.now() - startMs
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  throw new Error(`not within ${boundMs} ms`)
}

function join(server: TestServer, user: string, membershipId: string) {
  const membership = { member: { case: 'user' as const, value: user }, roles: [`${acme.name}/roles/order-reader`] }
  return server
    .client(MembershipService)
    .createMembership({ parent: `${acme.name}/workspaces/prod`, membershipId, membership })
}

test('a membership made on one server is seen by the other, and its removal too', async () => {
  expect((await ask(two, acme.bob)).reason).toBe(DecisionReason.NO_ACCESS)
  const { membership } = await join(one, acme.bob, 'bob-prod')
  await soon(async () => (await ask(two, acme.bob)).decision === Decision.ALLOW)
  await one.client(MembershipService).deleteMembership({ name: membership?.name ?? '' })
  await soon(async () => (await ask(two, acme.bob)).reason === DecisionReason.NO_ACCESS)
})

test('with the revision of the change the other server answers by it at once', async () => {
  for (let round = 0; round < 10; round += 1) {
    const { membership, revision } = await join(one, acme.bob, `bob-${round}`)
    expect((await ask(two, acme.bob, revision)).decision).toBe(Decision.ALLOW)
    const gone = await one.client(MembershipService).deleteMembership({ name: membership?.name ?? '' })
    expect((await ask(two, acme.bob, gone.revision)).reason).toBe(DecisionReason.NO_ACCESS)
  }
})

test('a workspace made on one server is a place on the other with its revision, alone and in a batch', async () => {
  for (let round = 0; round < 4; round += 1) {
    const parent = `${acme.name}/workspaces/new-${round}`
    await one.client(WorkspaceService).createWorkspace({ parent: acme.name, workspaceId: `new-${round}` })
    const membership = { member: { case: 'user' as const, value: acme.bob }, roles: ['roles/member'] }
    const { revision } = await one.client(MembershipService).createMembership({ parent, membership })
    const request = {
      ...{ parent, permission: 'orders.read', atLeastRevision: revision },
      credential: { case: 'principal' as const, value: { kind: { case: 'user' as const, value: acme.bob } } },
    }
    const never = { ...request, parent: `${acme.name}/workspaces/never-was` }
    const access = two.client(AccessService)
    if (round % 2 === 0) {
      expect((await access.authorize(request)).decision).toBe(Decision.ALLOW)
      expect((await access.authorize(never)).reason).toBe(DecisionReason.NO_ACCESS)
      continue
    }
    const { items } = await access.batchAuthorize({ items: [{ request }, { request: never }] })
    expect(items.map(({ result }) => result.case === 'response' && result.value.reason)).toEqual([
      DecisionReason.GRANTED,
      DecisionReason.NO_ACCESS,
    ])
  }
})

test('a permission that one server adds to the catalogue is known to the other with the revision', async () => {
  expect((await ask(two, acme.alice, '', 'orders.ship')).reason).toBe(DecisionReason.PERMISSION_UNKNOWN)
  const { revision } = await one.client(RoleService).createPermission({ permissionId: 'orders.ship' })
  await two.client(TenantService).listTenants({ atLeastRevision: revision })
  expect((await ask(two, acme.alice, '', 'orders.ship')).reason).toBe(DecisionReason.PERMISSION_MISSING)
})

test('the revision of a tenant carries the catalogue along: what was added before it is known', async () => {
  await one.client(RoleService).createPermission({ permissionId: 'orders.pack' })
  const { revision } = await one.client(UserService).createUser({
    ...{ parent: acme.name, userId: 'carol', user: { issuer: 'https://idp.example', subject: 'carol' } },
  })
  expect((await ask(two, acme.alice, revision, 'orders.pack')).reason).toBe(DecisionReason.PERMISSION_MISSING)
})

test('a platform key revoked on one server is dead on the other', async () => {
  const roles = ['roles/platform.admin']
  await one.client(ServiceAccountService).createServiceAccount({ serviceAccountId: 'ops', serviceAccount: { roles } })
  const owner = { case: 'serviceAccount' as const, value: 'serviceAccounts/ops' }
  const { secret, apiKey } = await one.client(ApiKeyService).createApiKey({ apiKey: { owner } })
  await soon(async () => (await reasonOf(two.client(AccessService, secret).getCaller({}))) === 'OK')
  await one.client(ApiKeyService).revokeApiKey({ name: apiKey?.name ?? '' })
  await soon(async () => (await reasonOf(two.client(AccessService, secret).getCaller({}))) === 'CREDENTIAL_INVALID')
})

test('a tenant key revoked on one server is dead on the other', async () => {
  const key = await seedKey(one, acme.name, `${acme.name}/serviceAccounts/owner-bot`)
  await soon(async () => (await reasonOf(two.client(AccessService, key).getCaller({}))) === 'OK')
  const { apiKeys } = await one.client(ApiKeyService).listApiKeys({ parent: acme.name, orderBy: 'create_time desc' })
  await one.client(ApiKeyService).revokeApiKey({ name: apiKeys[0]?.name ?? '' })
  await soon(async () => (await reasonOf(two.client(AccessService, key).getCaller({}))) === 'CREDENTIAL_INVALID')
})

test('a tenant made, renamed and suspended on one server is so on the other', async () => {
  await one.client(TenantService).createTenant({ tenantId: 'initech' })
  const name = 'tenants/initech'
  expect((await two.client(TenantService).getTenant({ name })).tenant?.uid).not.toBe('')
  await two.client(WorkspaceService).createWorkspace({ parent: name, workspaceId: 'prod' })
  await one.client(TenantService).updateTenant({ tenant: { name, displayName: 'Initech' } })
  await soon(async () => {
    const { tenants } = await two.client(TenantService).listTenants({ filter: 'display_name = "Initech"' })
    return tenants.length === 1
  })
  await one.client(TenantService).suspendTenant({ name, mode: Tenant_SuspensionMode.FULL, reason: 'unpaid' })
  await soon(async () => (await two.client(TenantService).getTenant({ name })).tenant?.state === Tenant_State.SUSPENDED)
})

test('both servers write to one tenant at once, and its chain has every event once and verifies', async () => {
  const before = await one.client(AuditService).verifyAuditChain({ parent: acme.name })
  const users = Array.from({ length: 60 }, (_, index) => `many-${index}`)
  await Promise.all(
    users.map((userId, index) =>
      (index % 2 === 0 ? one : two).client(UserService).createUser({
        ...{ parent: acme.name, userId, user: { issuer: 'https://idp.example', subject: userId } },
      }),
    ),
  )
  const after = await two.client(AuditService).verifyAuditChain({ parent: acme.name })
  expect(after.valid).toBe(true)
  expect(after.verifiedCount - before.verifiedCount).toBe(60n)
})

test('the same request id sent to both servers at once is done once', async () => {
  const request = {
    ...{ parent: acme.name, userId: 'twice', requestId: crypto.randomUUID() },
    user: { issuer: 'https://idp.example', subject: 'twice' },
  }
  const answers = await Promise.all([one, two, one, two].map((each) => each.client(UserService).createUser(request)))
  expect(new Set(answers.map(({ user }) => user?.uid)).size).toBe(1)
})

test('a page token of one server is good on the other', async () => {
  const first = await one.client(UserService).listUsers({ parent: acme.name, pageSize: 2 })
  const next = await two
    .client(UserService)
    .listUsers({ parent: acme.name, pageSize: 2, pageToken: first.nextPageToken })
  expect(next.users).toHaveLength(2)
})

test('a second server of the same name is refused with a sentence', async () => {
  await expect(startTestServer({ folder: one.folder })).rejects.toThrow(
    /Another server on this database is named replica-1 already\. Give each a TENURE_REPLICA of its own\./,
  )
})

test('a database that was put in the place of the cell is refused at the start, and at every new connection', async () => {
  const sideDoor = await openSideDoor(one.databaseUrl)
  const incarnation = String((await sideDoor.all('SELECT incarnation_id FROM cell_identity'))[0]?.incarnation_id)
  const become = (id: string) => sideDoor.run('UPDATE cell_identity SET incarnation_id = ?', [id])
  await become(crypto.randomUUID())
  try {
    await expect(startTestServer({ folder: one.folder, env: { TENURE_REPLICA: 'replica-3' } })).rejects.toThrow(
      /The database of cell local is not the one the directory knows/,
    )
    await sideDoor.run(
      'SET @ids = (SELECT GROUP_CONCAT(id) FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID())',
    )
    const [listed] = await sideDoor.all('SELECT @ids AS ids')
    for (const id of String(listed?.ids).split(',')) await sideDoor.run(`KILL ${Number(id)}`).catch(() => undefined)
    const user = { issuer: 'https://idp.example', subject: 'elsewhere' }
    const lost = two.client(UserService).createUser({ parent: acme.name, userId: 'elsewhere', user })
    expect(await reasonOf(lost)).toBe('DATABASE_UNAVAILABLE')
  } finally {
    await become(incarnation)
    await sideDoor[Symbol.asyncDispose]()
  }
  await soon(async () => {
    const user = { issuer: 'https://idp.example', subject: 'here' }
    return (await reasonOf(two.client(UserService).createUser({ parent: acme.name, userId: 'here', user }))) === 'OK'
  })
})
