import { afterAll, beforeAll, expect, test } from 'vitest'
import { historyProbe, takesAway, toldOf } from '../../src/assurance/isolation/history-probe.ts'
import { Operations } from '../../src/gen/google/longrunning/operations_pb.ts'
import { PurgeReceiptSchema } from '../../src/gen/tenure/v1/purge_receipt_pb.ts'
import { TenantService } from '../../src/gen/tenure/v1/tenant_service_pb.ts'
import { WorkspaceService } from '../../src/gen/tenure/v1/workspace_service_pb.ts'
import type { GuardBinding } from '../../src/sql-guard/guard-types.ts'
import { cellTables } from '../../src/tables.ts'
import { createTenantHistories } from '../../src/tenancy/tenant-history.ts'
import { isLiving } from '../../src/tenants/tenant-store.ts'
import { seedPermissions, seedTenant } from '../support/fixture.ts'
import { nextWriteOf } from '../support/interleave.ts'
import { ended, responseOf } from '../support/operation.ts'
import { openSideDoor } from '../support/side-door.ts'
import { startTestServer, type TestServer } from '../support/test-server.ts'

let server: TestServer

beforeAll(async () => {
  server = await startTestServer()
  await seedPermissions(server)
})

afterAll(() => server[Symbol.asyncDispose]())

type Work = (manager: unknown) => Promise<unknown>

/** Every write in the cell is another from now on. */
function everyWrite(
  changed: (binding: GuardBinding, write: (work: Work) => Promise<unknown>, work: Work) => Promise<unknown>,
): void {
  const cell = server.server.platform.storage.cell as unknown as {
    write: (binding: GuardBinding, work: Work) => Promise<unknown>
  }
  const { write } = cell
  cell.write = (binding, work) => changed(binding, (each) => write(binding, each), work)
}

test('a look at the history of a tenant that is being purged just then finds nothing', async () => {
  const acme = await seedTenant(server, 'acme')
  await using rows = await openSideDoor(server.databaseUrl)
  const found: unknown[] = []
  // The tenants of a look are listed at its beginning.
  const sample = { tenantIds: async () => [acme.uid], random: () => 0, max: 1 }
  const { scopes } = server.server.platform
  const probe = historyProbe(createTenantHistories({ scopes, isLiving, takesAway }), toldOf(cellTables), sample)
  let hasLooked = false
  everyWrite(async (binding, write, work) => {
    const answer = await write(work)
    if (hasLooked || binding.kind !== 'tenant' || binding.tenantId !== acme.uid) return answer
    const count = async (table: string) =>
      Number((await rows.all(`SELECT COUNT(*) AS n FROM ${table} WHERE tenant_id = ?`, [acme.uid]))[0]?.n)
    if ((await count('journal')) > 1 || (await count('memberships')) === 0) return answer
    hasLooked = true
    await probe.look({ checked: () => undefined, found: (each) => void found.push(each), pause: async () => undefined })
    return answer
  })
  await server.client(TenantService).deleteTenant({ name: acme.name, force: true })
  const { operation } = await server.client(TenantService).purgeTenant({ name: acme.name })
  await ended(server.client(Operations), operation)
  expect(hasLooked).toBe(true)
  expect(found).toEqual([])
}, 60_000)

test('a receipt counts what was removed once, however often a unit of the purge was run', async () => {
  await server.client(TenantService).createTenant({ tenantId: 'globex' })
  const name = 'tenants/globex/workspaces/prod'
  await server.client(WorkspaceService).createWorkspace({ parent: 'tenants/globex', workspaceId: 'prod' })
  await server.client(WorkspaceService).deleteWorkspace({ name })
  everyWrite((binding, write, work) => {
    let runs = 0
    return write(async (manager) => {
      const answer = await work(manager)
      runs += 1
      // As the server ends the victim of a deadlock.
      if (binding.kind === 'tenant' && runs === 1) throw Object.assign(new Error('Deadlock found'), { errno: 1213 })
      return answer
    })
  })
  const { operation } = await server.client(WorkspaceService).purgeWorkspace({ name })
  const { removed } = responseOf(await ended(server.client(Operations), operation), PurgeReceiptSchema)
  expect(removed.find(({ collection }) => collection === 'workspaces')?.count).toBe(1n)
}, 60_000)

/** What the tenant's next unit of work does, another server has done a moment before. */
function doneByAnotherBefore(uid: string): void {
  nextWriteOf(
    server.server.platform.storage.cell,
    (binding) => binding.kind === 'tenant' && binding.tenantId === uid,
    async (write, work) => {
      await write(work)
      return write(work)
    },
  )
}

test('a purge goes on where a server that had it before has raised the fence meanwhile', async () => {
  const initech = await seedTenant(server, 'initech')
  await server.client(TenantService).deleteTenant({ name: initech.name, force: true })
  doneByAnotherBefore(initech.uid)
  const { operation } = await server.client(TenantService).purgeTenant({ name: initech.name })
  const receipt = responseOf(await ended(server.client(Operations), operation), PurgeReceiptSchema)
  expect(receipt.uid).toBe(initech.uid)
  await using rows = await openSideDoor(server.databaseUrl)
  expect(await rows.all('SELECT slug FROM memberships WHERE tenant_id = ?', [initech.uid])).toEqual([])
}, 60_000)

test('so does that of a workspace', async () => {
  const { tenant } = await server.client(TenantService).createTenant({ tenantId: 'hooli' })
  const name = 'tenants/hooli/workspaces/prod'
  await server.client(WorkspaceService).createWorkspace({ parent: 'tenants/hooli', workspaceId: 'prod' })
  await server.client(WorkspaceService).deleteWorkspace({ name })
  // The first one is of the call, which makes the operation.
  nextWriteOf(
    server.server.platform.storage.cell,
    (binding) => binding.kind === 'tenant' && binding.tenantId === tenant?.uid,
    (write, work) => {
      doneByAnotherBefore(tenant?.uid ?? '')
      return write(work)
    },
  )
  const { operation } = await server.client(WorkspaceService).purgeWorkspace({ name })
  const { removed } = responseOf(await ended(server.client(Operations), operation), PurgeReceiptSchema)
  expect(removed.find(({ collection }) => collection === 'workspaces')?.count).toBe(1n)
}, 60_000)
