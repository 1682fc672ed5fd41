import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Operation, Operations } from '../../src/gen/google/longrunning/operations_pb.ts'
import { DiagnosticsService } from '../../src/gen/tenure/v1/diagnostics_service_pb.ts'
import { PurgeReceiptSchema } from '../../src/gen/tenure/v1/purge_receipt_pb.ts'
import { SecretService } from '../../src/gen/tenure/v1/secret_service_pb.ts'
import { TenantService } from '../../src/gen/tenure/v1/tenant_service_pb.ts'
import { WorkspaceService } from '../../src/gen/tenure/v1/workspace_service_pb.ts'
import { seedPermissions, seedTenant, type TenantFixture } from '../support/fixture.ts'
import { insertCopy, oneRow } from '../support/forgery.ts'
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

async function plantPurgeOf({ uid, name }: TenantFixture): Promise<string> {
  await server.client(TenantService).deleteTenant({ name, force: true })
  const input = JSON.stringify({ tenantId: uid, slug: name.split('/').at(-1) })
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
  const input = JSON.stringify({ tenantSlug: 'initech', workspaceId: workspace?.uid, slug: 'prod' })
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

test('an operation whose row cannot be read, or says another end than it had, is told of and takes nothing down', async () => {
  const unreadable = await plant('platform_operations', purges.ofTenant, { actor: '[[', input: '"x' })
  const id = String(purges.ofTenant.operation_id)
  const response = Buffer.from('another receipt')
  await rows.run('UPDATE platform_operations SET response = ? WHERE operation_id = ?', [response, id])
  await afterAnother()
  expect(await reasonOf(server.client(Operations).listOperations({}))).toBe('OK')
  expect(await isForged('platform_operations', unreadable)).toBe(true)
  expect(await isForged('platform_operations', id)).toBe(true)
})

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
