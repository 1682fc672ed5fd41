import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { platformTenantId } from '../../src/base/ids.ts'
import { type Operation, Operations } from '../../src/gen/google/longrunning/operations_pb.ts'
import { DiagnosticsService } from '../../src/gen/tenure/v1/diagnostics_service_pb.ts'
import { PurgeReceiptSchema } from '../../src/gen/tenure/v1/purge_receipt_pb.ts'
import { SecretService } from '../../src/gen/tenure/v1/secret_service_pb.ts'
import { TenantService } from '../../src/gen/tenure/v1/tenant_service_pb.ts'
import { WorkspaceService } from '../../src/gen/tenure/v1/workspace_service_pb.ts'
import { OperationTable } from '../../src/operations/operation-table.ts'
import { seedPermissions, seedTenant, type TenantFixture } from '../support/fixture.ts'
import { insertCopy, oneRow } from '../support/forgery.ts'
import { holdOperation } from '../support/held-operation.ts'
import { forgetAnchor } from '../support/keyring-anchor.ts'
import { ended, responseOf } from '../support/operation.ts'
import { reasonOf } from '../support/reason.ts'
import { codesOf } from '../support/row-code-checks.ts'
import { openSideDoor, type SideDoor, type StoredRow } from '../support/side-door.ts'
import { startTestServer, type TestServer } from '../support/test-server.ts'

// What servers do later in somebody's name, written by whoever can write the database: keys that are destroyed come back
// from no backup.

let folder: string
let server: TestServer
let rows: SideDoor
/** Genuine rows of purges that came to their end. */
let purges: { readonly ofTenant: StoredRow; readonly ofWorkspace: StoredRow }

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tenure-forged-operations-'))
  server = await startTestServer({ folder })
  rows = await openSideDoor(server.databaseUrl)
  await seedPermissions(server)
  purges = await honestPurges()
})

afterAll(async () => {
  await rows[Symbol.asyncDispose]()
  await server[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true, force: true })
})

const idOf = (operation: Operation | undefined) => operation?.name.split('/').at(-1) ?? ''
const secretOf = ({ name }: TenantFixture) => `${name}/workspaces/prod/secrets/database/versions/1`

async function honestPurges() {
  const globex = await seedTenant(server, 'globex')
  const name = `${globex.name}/workspaces/test`
  await server.client(WorkspaceService).deleteWorkspace({ name })
  const ofWorkspace = await server.client(WorkspaceService).purgeWorkspace({ name })
  await ended(server.client(Operations), ofWorkspace.operation)
  // Those of a tenant go with it.
  const stored = (table: string, operation: Operation | undefined) =>
    oneRow({ rows }, table, 'operation_id = ?', idOf(operation))
  const rowOfWorkspace = await stored('operations', ofWorkspace.operation)
  await server.client(TenantService).deleteTenant({ name: globex.name, force: true })
  const ofTenant = await server.client(TenantService).purgeTenant({ name: globex.name })
  await ended(server.client(Operations), ofTenant.operation)
  return { ofWorkspace: rowOfWorkspace, ofTenant: await stored('platform_operations', ofTenant.operation) }
}

/** As if somebody had asked for it just now. Answers its id. */
async function plant(table: string, row: StoredRow, changes: StoredRow): Promise<string> {
  const operationId = crypto.randomUUID()
  const asNew = { state: 'OPEN', response: null, response_type: '', end_time: null, expire_time: null, error: null }
  const free = { lease_expire_time: row.create_time }
  await insertCopy({ rows }, table, row, { ...asNew, ...free, operation_id: operationId, ...changes })
  return operationId
}

async function versionOf({ uid }: Pick<TenantFixture, 'uid'>): Promise<number> {
  return Number((await oneRow({ rows }, 'tenant_heads', 'tenant_id = ?', uid)).version)
}

async function plantPurgeOf({ uid, name }: TenantFixture): Promise<string> {
  await server.client(TenantService).deleteTenant({ name, force: true })
  const input = JSON.stringify({ tenantId: uid, slug: name.split('/').at(-1), version: await versionOf({ uid }) })
  return plant('platform_operations', purges.ofTenant, { target: name, input })
}

/** Long enough for whatever is taken up at all: an honest operation, asked for behind it, has come to its end. */
async function afterAnother(): Promise<void> {
  const { operation } = await server.client(DiagnosticsService).diagnoseIsolation({})
  await ended(server.client(Operations), operation)
}

async function isForged(table: string, id: string, of = server): Promise<boolean> {
  const { forged } = await codesOf(of)
  return forged.some((row) => row.table === table && row.id === id)
}

test('a purge of a tenant that nobody asked for is not done: undeleted, it has its values', async () => {
  const acme = await seedTenant(server, 'acme')
  const id = await plantPurgeOf(acme)
  await afterAnother()
  await server.client(TenantService).undeleteTenant({ name: acme.name })
  const { payload } = await server.client(SecretService).accessSecretVersion({ name: secretOf(acme) })
  expect(payload.length).toBeGreaterThan(0)
  expect(await isForged('platform_operations', id)).toBe(true)
})

test('a purge of a workspace that nobody asked for is not done', async () => {
  const initech = await seedTenant(server, 'initech')
  const workspaces = server.client(WorkspaceService)
  const name = `${initech.name}/workspaces/prod`
  const { workspace } = await workspaces.getWorkspace({ name })
  await workspaces.deleteWorkspace({ name })
  const { version } = await oneRow({ rows }, 'workspaces', 'workspace_id = ?', workspace?.uid ?? '')
  const asked = { tenantSlug: 'initech', workspaceId: workspace?.uid, slug: 'prod', version: Number(version) }
  const input = JSON.stringify(asked)
  const changes = { tenant_id: initech.uid, target: name, input }
  const id = await plant('operations', purges.ofWorkspace, changes)
  await afterAnother()
  await workspaces.undeleteWorkspace({ name })
  await server.client(SecretService).accessSecretVersion({ name: secretOf(initech) })
  expect(await isForged('operations', id)).toBe(true)
})

test('an operation that was forged is no answer to whoever asks for the same, and can be deleted', async () => {
  const umbrella = await seedTenant(server, 'umbrella')
  const id = await plantPurgeOf(umbrella)
  const { operation } = await server.client(TenantService).purgeTenant({ name: umbrella.name })
  expect(idOf(operation)).not.toBe(id)
  const operations = server.client(Operations)
  expect(responseOf(await ended(operations, operation), PurgeReceiptSchema).uid).toBe(umbrella.uid)
  await operations.deleteOperation({ name: `operations/${id}` })
  expect(await isForged('platform_operations', id)).toBe(false)
})

const texts = Object.entries(OperationTable.options.columns).filter(([, column]) => column?.type === 'text')

test.each(texts.map(([column]) => column))(
  'an operation with nonsense in its %s is done by nobody and takes nothing down',
  async (column) => {
    const nonsense = ['[[', '"x', '7', '{"a":{}}']
    const planted = nonsense.map((text) => plant('platform_operations', purges.ofTenant, { [column]: text }))
    const ids = await Promise.all(planted)
    await afterAnother()
    const { operations } = await server.client(Operations).listOperations({ pageSize: 1000 })
    for (const id of ids) {
      expect(operations.find((each) => idOf(each) === id)).toMatchObject({ done: false })
      expect(await isForged('platform_operations', id)).toBe(true)
      await rows.run('DELETE FROM platform_operations WHERE operation_id = ?', [id])
    }
  },
)

test.each(['response', 'error'])('another end than it had, by its %s, is no end, and told of', async (column) => {
  const id = String(purges.ofTenant.operation_id)
  const told = JSON.stringify({ code: 3, reason: 'X', message: 'of a thief' })
  const write = (value: unknown) =>
    rows.run(`UPDATE platform_operations SET ${column} = ? WHERE operation_id = ?`, [value as string | null, id])
  await write(column === 'error' ? told : Buffer.from('another receipt'))
  const { done, result } = await server.client(Operations).getOperation({ name: `operations/${id}` })
  const wasForged = await isForged('platform_operations', id)
  await write(purges.ofTenant[column])
  expect({ done, result: result.case, wasForged }).toEqual({ done: false, result: undefined, wasForged: true })
  expect((await server.client(Operations).getOperation({ name: `operations/${id}` })).done).toBe(true)
})

test('a purge that was cancelled, put back as it was, is not done after the tenant was undeleted and deleted anew', async () => {
  const vandelay = await seedTenant(server, 'vandelay')
  const tenants = server.client(TenantService)
  const operations = server.client(Operations)
  await tenants.deleteTenant({ name: vandelay.name, force: true })
  const { operationId, release } = await holdOperation(server, rows, {
    ...{ tenantId: platformTenantId, kind: 'tenants.purge', target: vandelay.name },
    input: { tenantId: vandelay.uid, slug: 'vandelay', version: await versionOf(vandelay) },
  })
  const before = await oneRow({ rows }, 'platform_operations', 'operation_id = ?', operationId)
  const name = `operations/${operationId}`
  await operations.cancelOperation({ name })
  await release()
  await ended(operations, { name } as Operation)
  await tenants.undeleteTenant({ name: vandelay.name })
  await tenants.deleteTenant({ name: vandelay.name, force: true })
  await rows.run('DELETE FROM platform_operations WHERE operation_id = ?', [operationId])
  await insertCopy({ rows }, 'platform_operations', before, { lease_expire_time: before.create_time })
  const { result } = await ended(operations, { name } as Operation)
  expect(result).toMatchObject({ case: 'error', value: { message: expect.stringContaining('deleted anew') } })
  expect(await reasonOf(tenants.undeleteTenant({ name: vandelay.name }))).toBe('OK')
})

test('a head that says it is purged already costs nobody their keys', async () => {
  const pendant = await seedTenant(server, 'pendant')
  const tenants = server.client(TenantService)
  await tenants.deleteTenant({ name: pendant.name, force: true })
  const setState = (state: string) =>
    rows.run('UPDATE tenant_heads SET state = ? WHERE tenant_id = ?', [state, pendant.uid])
  await setState('PURGED')
  const { operationId, release } = await holdOperation(server, rows, {
    ...{ tenantId: platformTenantId, kind: 'tenants.purge', target: pendant.name },
    input: { tenantId: pendant.uid, slug: 'pendant', version: 1 },
  })
  await release()
  const attempts = async () =>
    Number(
      (await rows.all('SELECT attempt FROM platform_operations WHERE operation_id = ?', [operationId]))[0]?.attempt,
    )
  await expect.poll(attempts, { timeout: 10_000 }).toBeGreaterThan(0)
  await afterAnother()
  await setState('DELETED')
  await rows.run('DELETE FROM platform_operations WHERE operation_id = ?', [operationId])
  await tenants.undeleteTenant({ name: pendant.name })
  await server.client(SecretService).accessSecretVersion({ name: secretOf(pendant) })
})

test.each(['the twin first', 'its own row first'])(
  'an operation whose row somebody copied to another tenant is done, and so are others: %s',
  async (order) => {
    const suffix = order === 'the twin first' ? 'one' : 'two'
    const mine = await seedTenant(server, `mine-${suffix}`)
    const other = await seedTenant(server, `other-${suffix}`)
    const name = `${mine.name}/workspaces/prod`
    const workspaces = server.client(WorkspaceService)
    const { workspace } = await workspaces.deleteWorkspace({ name })
    const stored = await oneRow({ rows }, 'workspaces', 'workspace_id = ?', workspace?.uid ?? '')
    const { operationId, release } = await holdOperation(server, rows, {
      ...{ tenantId: mine.uid, kind: 'workspaces.purge', target: name },
      input: {
        workspaceId: workspace?.uid ?? '',
        slug: 'prod',
        tenantSlug: `mine-${suffix}`,
        version: Number(stored.version),
      },
    })
    const row = await oneRow({ rows }, 'operations', 'operation_id = ?', operationId)
    if (suffix === 'one') await rows.run('DELETE FROM operations WHERE operation_id = ?', [operationId])
    await insertCopy({ rows }, 'operations', row, { tenant_id: other.uid })
    if (suffix === 'one') await insertCopy({ rows }, 'operations', row, {})
    await release()
    const operations = server.client(Operations)
    const done = await ended(operations, { name: `${mine.name}/operations/${operationId}` } as Operation)
    expect(responseOf(done, PurgeReceiptSchema).uid).toBe(workspace?.uid)
    await workspaces.deleteWorkspace({ name: `${other.name}/workspaces/test` })
    const { operation } = await workspaces.purgeWorkspace({ name: `${other.name}/workspaces/test` })
    responseOf(await ended(operations, operation), PurgeReceiptSchema)
  },
)

test('a look at isolation that was forged, of times to come, keeps no server from looking', async () => {
  const { operation } = await server.client(DiagnosticsService).diagnoseIsolation({})
  await ended(server.client(Operations), operation)
  const row = await oneRow({ rows }, 'platform_operations', 'operation_id = ?', idOf(operation))
  const times = { create_time: String(row.create_time).replace(/^\d{4}/, '2099') }
  await plant('platform_operations', row, { ...times, state: 'SUCCEEDED', lease_expire_time: row.create_time })
  await server.stop()
  const clock = { nowMs: () => Date.now() + 86_400_000, monotonicMs: () => performance.now() }
  const looks = 'SELECT COUNT(*) AS n FROM platform_operations WHERE kind = ?'
  const count = async () => Number((await rows.all(looks, [row.kind as string]))[0]?.n)
  const before = await count()
  await using _ = await startTestServer({ folder, clock, env: { TENURE_DIAGNOSTICS_INTERVAL_MS: '2000' } })
  await expect.poll(count, { timeout: 15_000, interval: 200 }).toBeGreaterThan(before)
})

test('a database whose operations have no codes yet gets theirs at one start, and what was open goes on', async () => {
  await using before = await startTestServer({ folder })
  const hooli = await seedTenant(before, 'hooli')
  await before.stop()
  const input = JSON.stringify({ tenantId: hooli.uid, slug: 'hooli' })
  const id = await plant('platform_operations', purges.ofTenant, { target: hooli.name, input })
  for (const table of ['operations', 'platform_operations']) await rows.run(`UPDATE ${table} SET row_code = NULL`)
  await rows.run("DELETE FROM sealed_keys WHERE key_name = 'operation-code'")
  await forgetAnchor(before.config, 'tenure-operation-codes')
  await using upgraded = await startTestServer({ folder })
  expect((await codesOf(upgraded)).forged).toEqual([])
  const done = await ended(upgraded.client(Operations), { name: `operations/${id}` } as Operation)
  // It is alive, so that its purge is refused; but it was asked for.
  expect(done.result).toMatchObject({
    case: 'error',
    value: { message: expect.stringContaining('only a deleted one') },
  })
})
