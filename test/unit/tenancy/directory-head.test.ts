import type { EntitySchema } from 'typeorm'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { PermissionTable } from '../../../src/access/permission-table.ts'
import { nilUuid } from '../../../src/base/ids.ts'
import { encodeRevision } from '../../../src/base/revision.ts'
import { TenantService } from '../../../src/gen/tenure/v1/tenant_service_pb.ts'
import { seedPermissions } from '../../support/fixture.ts'
import { type Kernel, openKernel } from '../../support/kernel.ts'
import { reasonOf } from '../../support/reason.ts'

let kernel: Kernel

beforeAll(async () => {
  kernel = await openKernel()
  await seedPermissions(kernel.test)
})

afterAll(() => kernel[Symbol.asyncDispose]())

/** A permission that another server added, and a head that says so; no event tells of it. */
async function addPermission(name: string): Promise<void> {
  const { sideDoor, platform } = kernel
  const [known] = await sideDoor.all("SELECT service, effect FROM permissions WHERE permission_id = 'orders.read'")
  const code = platform.codedRows.codes.codeOf(PermissionTable as unknown as EntitySchema, {
    ...known,
    permissionId: name,
  })
  await sideDoor.run(
    `INSERT INTO permissions (permission_id, uid, description, effect, service, version, create_time, update_time, row_code)
    SELECT ?, ?, description, effect, service, version, create_time, update_time, ? FROM permissions WHERE permission_id = 'orders.read'`,
    [name, crypto.randomUUID(), code ?? null],
  )
  await sideDoor.run('UPDATE directory_heads SET revision = revision + 1')
}

async function head() {
  const [row] = await kernel.sideDoor.all('SELECT revision, timeline_id FROM directory_heads')
  return { revision: Number(row?.revision), timelineId: String(row?.timeline_id) }
}

async function token(): Promise<string> {
  const { revision, timelineId } = await head()
  return encodeRevision({
    ...{ directoryRevision: revision, tenantId: nilUuid, timelineId, placementEpoch: 1, tenantRevision: 0 },
  })
}

function listAt(atLeastRevision: string): Promise<string> {
  return reasonOf(kernel.test.client(TenantService).listTenants({ atLeastRevision }))
}

test('a change of the directory that was missed is mended by a comparison with its head', async () => {
  const { feeds, catalogue, directory } = kernel.platform
  await addPermission('orders.missed')
  await feeds.followDirectory()
  expect(catalogue.has('orders.missed')).toBe(false)
  expect(await listAt(await token())).toBe('STALE')
  await feeds.compareDirectory()
  expect(catalogue.has('orders.missed')).toBe(true)
  expect(directory.revision()).toBe((await head()).revision)
  expect(await listAt(await token())).toBe('OK')
})

test('a comparison that finds nothing to mend changes nothing', async () => {
  const { feeds, catalogue, directory } = kernel.platform
  const before = { version: catalogue.version, revision: directory.revision() }
  await feeds.compareDirectory()
  expect({ version: catalogue.version, revision: directory.revision() }).toEqual(before)
})

test('a directory restored beside a running server is followed with the first revision of its new timeline', async () => {
  const { catalogue, directory } = kernel.platform
  const old = await token()
  await addPermission('orders.restored')
  await kernel.sideDoor.run('UPDATE directory_heads SET timeline_id = ?, revision = revision - 3', [
    crypto.randomUUID(),
  ])
  expect(await listAt(await token())).toBe('OK')
  expect(catalogue.has('orders.restored')).toBe(true)
  expect({ revision: directory.revision(), timelineId: directory.timelineId() }).toEqual(await head())
  expect(await listAt(old)).toBe('REVISION_LOST')
})
