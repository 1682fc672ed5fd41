import { afterAll, beforeAll, expect, test } from 'vitest'
import { platformTenantId, type TenantId } from '../../src/base/ids.ts'
import { type Operation, Operations } from '../../src/gen/google/longrunning/operations_pb.ts'
import { AccessService } from '../../src/gen/tenure/v1/access_service_pb.ts'
import { AuditService } from '../../src/gen/tenure/v1/audit_service_pb.ts'
import { PurgeReceiptSchema } from '../../src/gen/tenure/v1/purge_receipt_pb.ts'
import { SecretService } from '../../src/gen/tenure/v1/secret_service_pb.ts'
import { Tenant_State } from '../../src/gen/tenure/v1/tenant_pb.ts'
import { TenantService } from '../../src/gen/tenure/v1/tenant_service_pb.ts'
import { UserService } from '../../src/gen/tenure/v1/user_service_pb.ts'
import { WorkspaceService } from '../../src/gen/tenure/v1/workspace_service_pb.ts'
import { seedPermissions, seedTenant, type TenantFixture } from '../support/fixture.ts'
import { holdOperation } from '../support/held-operation.ts'
import { ended, metadataOf, responseOf } from '../support/operation.ts'
import { reasonOf } from '../support/reason.ts'
import { openSideDoor, type SideDoor } from '../support/side-door.ts'
import { startTestServer, type TestServer } from '../support/test-server.ts'

let server: TestServer
let rows: SideDoor
let acme: TenantFixture
let globex: TenantFixture
let initech: TenantFixture

beforeAll(async () => {
  server = await startTestServer()
  rows = await openSideDoor(server.databaseUrl)
  await seedPermissions(server)
  acme = await seedTenant(server, 'acme')
  globex = await seedTenant(server, 'globex')
  initech = await seedTenant(server, 'initech')
})

afterAll(async () => {
  await rows[Symbol.asyncDispose]()
  await server[Symbol.asyncDispose]()
})

const tenants = () => server.client(TenantService)
const workspaces = (key = server.rootKey) => server.client(WorkspaceService, key)
const operations = (key = server.rootKey) => server.client(Operations, key)

/** How many rows of each table that has such a column say this of themselves. */
async function countRows(column: string, value: string): Promise<Record<string, number>> {
  const counts: Record<string, number> = {}
  for (const [table, columns] of await rows.tables()) {
    if (!columns.includes(column)) continue
    const [row] = await rows.all(`SELECT COUNT(*) AS n FROM ${table} WHERE ${column} = ?`, [value])
    if (Number(row?.n) > 0) counts[table] = Number(row?.n)
  }
  return counts
}

/** Of a tenant that goes on living: checkpoints of its chains come by themselves. */
async function ownRows({ uid }: TenantFixture): Promise<Record<string, number>> {
  const { audit_checkpoint_ends: _, ...counts } = await countRows('tenant_id', uid)
  return counts
}

async function purged(name: string) {
  await tenants().deleteTenant({ name, force: true })
  const { operation } = await tenants().purgeTenant({ name })
  return ended(operations(), operation)
}

test('a purge of a tenant leaves a tombstone and nothing else, in any table', async () => {
  const before = await countRows('tenant_id', acme.uid)
  expect(Object.keys(before).length).toBeGreaterThan(10)
  const others = await ownRows(globex)
  const operation = await purged(acme.name)
  const receipt = responseOf(operation, PurgeReceiptSchema)
  expect(await countRows('tenant_id', acme.uid)).toEqual({ journal: 1, tenant_heads: 1, tenant_placements: 1 })
  expect(await ownRows(globex)).toEqual(others)
  expect(receipt).toMatchObject({ name: acme.name, uid: acme.uid, destroyedKeyCount: 1n })
  const removed = new Map(receipt.removed.map(({ collection, count }) => [collection, Number(count)]))
  expect(removed.get('memberships')).toBe(before.memberships)
  expect(removed.get('secretVersions')).toBe(before.secret_versions)
  expect(metadataOf(operation)).toMatchObject({ kind: 'tenants.purge', target: acme.name, attemptCount: 1n })
  const [head] = await rows.all('SELECT state, display_name, labels FROM tenant_heads WHERE tenant_id = ?', [acme.uid])
  expect(head).toMatchObject({ state: 'PURGED', display_name: '', labels: '{}' })
})

test('an access that is written late leaves no row of a purged tenant', async () => {
  const { accessLog } = server.server.platform
  const actor = { principal: 'serviceAccounts/root', credential: '', requestId: 'late', clientIp: '' }
  const fact = { event: 'tenants.get', target: acme.name, denied: false, reason: '' }
  const [ofPurged, ofLiving] = [acme.uid, globex.uid].map((tenantId) => tenantId as TenantId)
  if (ofPurged === undefined || ofLiving === undefined) throw new Error('there are two tenants')
  accessLog.record({ ...fact, tenantId: ofPurged, context: undefined, actor })
  accessLog.record({ ...fact, tenantId: ofLiving, context: undefined, actor })
  await accessLog.flush()
  expect(await countRows('tenant_id', acme.uid)).toEqual({ journal: 1, tenant_heads: 1, tenant_placements: 1 })
  const { auditEvents } = await server
    .client(AuditService)
    .listAuditEvents({ parent: globex.name, filter: 'event = "tenants.get"' })
  expect(auditEvents.map(({ requestId }) => requestId)).toContain('late')
})

test('what was purged is found by nobody, in the words for what never was', async () => {
  const there = async (name: string) => reasonOf(tenants().getTenant({ name }))
  expect(await there(acme.name)).toBe('NOT_FOUND')
  const said = async (name: string) =>
    (await tenants()
      .getTenant({ name })
      .catch((error: Error) => error.message)) as string
  expect(await said(acme.name)).toBe(await said('tenants/never-was'))
  expect(await reasonOf(tenants().batchGetTenants({ names: [acme.name] }))).toBe('NOT_FOUND')
  expect(await reasonOf(tenants().undeleteTenant({ name: acme.name }))).toBe('NOT_FOUND')
  expect(await reasonOf(tenants().purgeTenant({ name: acme.name }))).toBe('NOT_FOUND')
  const { tenants: listed } = await tenants().listTenants({ showDeleted: true })
  expect(listed.map(({ name }) => name)).not.toContain(acme.name)
  expect(await reasonOf(server.client(AccessService, acme.ownerKey).getCaller({}))).toBe('CREDENTIAL_INVALID')
  const { decision, reason } = await server.client(AccessService).authorize({
    parent: acme.name,
    credential: { case: 'principal', value: { kind: { case: 'user', value: acme.alice } } },
  })
  expect([decision, reason]).toEqual([2, 5])
})

test('slug and uid of a purged tenant are refused for ever, and a new tenant of the same people sees nothing of it', async () => {
  expect(await reasonOf(tenants().createTenant({ tenantId: 'acme' }))).toBe('NAME_RETIRED')
  const { tenant } = await tenants().createTenant({ tenantId: 'acme-2', tenant: { displayName: 'acme' } })
  expect(tenant?.uid).not.toBe(acme.uid)
  const alice = { issuer: 'https://idp.example', subject: 'alice@acme', email: 'alice@acme.example' }
  await server.client(UserService).createUser({ parent: 'tenants/acme-2', userId: 'alice', user: alice })
  const { users } = await server.client(UserService).listUsers({ parent: 'tenants/acme-2' })
  expect(users).toHaveLength(1)
  expect(await reasonOf(server.client(SecretService).listSecrets({ parent: 'tenants/acme-2/workspaces/prod' }))).toBe(
    'NOT_FOUND',
  )
})

test('the platform keeps who purged what, and its chain verifies', async () => {
  const { auditEvents } = await server.client(AuditService).listAuditEvents({ filter: `target = "${acme.name}"` })
  expect(auditEvents.map(({ event }) => event)).toEqual(expect.arrayContaining(['tenants.purge', 'tenants.purged']))
  expect(auditEvents.find(({ event }) => event === 'tenants.purged')?.details).toMatchObject({
    uid: acme.uid,
    destroyed_keys: 1,
  })
  expect((await server.client(AuditService).verifyAuditChain({})).valid).toBe(true)
})

test('only what is deleted is purged, and only by who may', async () => {
  expect(await reasonOf(tenants().purgeTenant({ name: globex.name }))).toBe('INVALID_STATE')
  expect(await reasonOf(workspaces().purgeWorkspace({ name: `${globex.name}/workspaces/prod` }))).toBe('INVALID_STATE')
  await workspaces(globex.ownerKey).deleteWorkspace({ name: `${globex.name}/workspaces/test` })
  const name = `${globex.name}/workspaces/test`
  expect(await reasonOf(workspaces(globex.viewerKey).purgeWorkspace({ name }))).toBe('NOT_FOUND')
  expect(await reasonOf(workspaces(initech.ownerKey).purgeWorkspace({ name }))).toBe('NOT_FOUND')
  expect(await reasonOf(server.client(TenantService, globex.ownerKey).purgeTenant({ name: globex.name }))).toBe(
    'PERMISSION_MISSING',
  )
})

test('a purge of a workspace leaves its retired name and the audit events of its tenant', async () => {
  const name = `${initech.name}/workspaces/prod`
  const { workspace } = await workspaces().getWorkspace({ name })
  const uid = workspace?.uid ?? ''
  await workspaces(initech.ownerKey).deleteWorkspace({ name })
  const { operation } = await workspaces(initech.ownerKey).purgeWorkspace({ name })
  expect(operation?.name).toMatch(/^tenants\/initech\/operations\//)
  const last = await ended(operations(initech.ownerKey), operation)
  expect(responseOf(last, PurgeReceiptSchema)).toMatchObject({ name, uid, destroyedKeyCount: 1n })
  const left = await countRows('workspace_id', uid)
  expect(Object.keys(left)).toEqual(['journal'])
  expect(await reasonOf(workspaces().getWorkspace({ name }))).toBe('NOT_FOUND')
  expect(await reasonOf(workspaces().undeleteWorkspace({ name }))).toBe('NOT_FOUND')
  expect(await reasonOf(workspaces().createWorkspace({ parent: initech.name, workspaceId: 'prod' }))).toBe(
    'NAME_RETIRED',
  )
  const { workspaces: listed } = await workspaces().listWorkspaces({ parent: initech.name, showDeleted: true })
  expect(listed.map((each) => each.name)).toEqual([`${initech.name}/workspaces/test`])
  expect((await server.client(AuditService).verifyAuditChain({ parent: initech.name })).valid).toBe(true)
  // Its one secret is gone with its key: a row brought back from a backup opens nowhere.
  expect(
    await reasonOf(server.client(SecretService).accessSecretVersion({ name: `${name}/secrets/database/versions/1` })),
  ).toBe('NOT_FOUND')
})

test('an operation is seen by its owner alone', async () => {
  const { operations: own } = await operations(initech.ownerKey).listOperations({ name: initech.name })
  expect(own).toHaveLength(1)
  const name = own[0]?.name ?? ''
  expect((await operations(initech.adminKey).getOperation({ name })).done).toBe(true)
  expect(await reasonOf(operations(globex.ownerKey).getOperation({ name }))).toBe('NOT_FOUND')
  expect(await reasonOf(operations(globex.ownerKey).listOperations({ name: initech.name }))).toBe('NOT_FOUND')
  expect(await reasonOf(operations(globex.ownerKey).getOperation({ name: name.replace('initech', 'globex') }))).toBe(
    'NOT_FOUND',
  )
  expect(await reasonOf(operations(initech.ownerKey).listOperations({}))).toBe('PERMISSION_MISSING')
  expect(await reasonOf(operations().getOperation({ name: name.replace('tenants/initech/', '') }))).toBe('NOT_FOUND')
  expect(await reasonOf(operations().getOperation({ name: 'operations/no-uuid' }))).toBe('INVALID_FIELD')
})

test('what has ended is deleted by its owner, and cancelling it changes nothing', async () => {
  const { operations: own } = await operations(initech.ownerKey).listOperations({ name: initech.name })
  const name = own[0]?.name ?? ''
  await operations(initech.ownerKey).cancelOperation({ name })
  expect((await operations(initech.ownerKey).waitOperation({ name })).result.case).toBe('response')
  expect(await reasonOf(operations(initech.viewerKey).deleteOperation({ name }))).toBe('PERMISSION_MISSING')
  await operations(initech.ownerKey).deleteOperation({ name })
  expect(await reasonOf(operations(initech.ownerKey).getOperation({ name }))).toBe('NOT_FOUND')
})

test('a purge that was asked for before its tenant was undeleted is none of the new deletion', async () => {
  const { name, uid } = await seedTenant(server, 'phoenix')
  await tenants().deleteTenant({ name, force: true })
  const [head] = await rows.all('SELECT version FROM tenant_heads WHERE tenant_id = ?', [uid])
  // Asked for, and not begun: every server is busy.
  const { operationId, release } = await holdOperation(server, rows, {
    ...{ tenantId: platformTenantId, kind: 'tenants.purge', target: name },
    input: { tenantId: uid, slug: 'phoenix', version: Number(head?.version) },
  })
  expect((await tenants().purgeTenant({ name })).operation?.name).toBe(`operations/${operationId}`)
  await tenants().undeleteTenant({ name })
  await tenants().deleteTenant({ name, force: true })
  await release()
  const old = await ended(operations(), { name: `operations/${operationId}` } as Operation)
  expect(old.result).toMatchObject({ case: 'error', value: { message: expect.stringContaining('deleted anew') } })
  expect((await tenants().getTenant({ name })).tenant?.state).toBe(Tenant_State.DELETED)
  const { operation } = await tenants().purgeTenant({ name })
  expect(operation?.name).not.toBe(`operations/${operationId}`)
  expect(responseOf(await ended(operations(), operation), PurgeReceiptSchema).uid).toBe(uid)
})
