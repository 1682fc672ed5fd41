import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest'
import { TenureError } from '../../../src/base/errors.ts'
import { RoleService } from '../../../src/gen/tenure/v1/role_service_pb.ts'
import { TenantService } from '../../../src/gen/tenure/v1/tenant_service_pb.ts'
import type { Database } from '../../../src/storage/database.ts'
import { seedPermissions, seedTenant, type TenantFixture } from '../../support/fixture.ts'
import { type Kernel, openKernel } from '../../support/kernel.ts'
import { reasonOf } from '../../support/reason.ts'

let kernel: Kernel
let acme: TenantFixture

beforeAll(async () => {
  kernel = await openKernel()
  await seedPermissions(kernel.test)
  acme = await seedTenant(kernel.test, 'acme')
})

afterAll(() => kernel[Symbol.asyncDispose]())

afterEach(() => {
  vi.restoreAllMocks()
})

/** Both databases go away at the moment in which the next change of that kind is committed. Answers how they come back. */
function loseAfterCommit(which: 'directory' | 'cell', kind: string): () => void {
  const { directory, cell } = kernel.platform.storage
  const { write } = kernel.platform.storage[which]
  let away = false
  const lost = () => new TenureError('DATABASE_UNAVAILABLE', 'away')
  for (const database of [directory, cell]) {
    const { read } = database
    vi.spyOn(database, 'read').mockImplementation(async (binding, work) => {
      if (away) throw lost()
      return read(binding, work)
    })
  }
  const losing: Database['write'] = async (binding, work) => {
    if (away) throw lost()
    const value = await write(binding, work)
    if (binding.kind === kind || (binding.kind === 'platform' && binding.purpose === kind)) away = true
    return value
  }
  vi.spyOn(kernel.platform.storage[which], 'write').mockImplementation(losing)
  return () => {
    expect(away).toBe(true)
    vi.restoreAllMocks()
  }
}

async function stored(sql: string, values: string[]): Promise<number> {
  return Number((await kernel.sideDoor.all(sql, values))[0]?.found)
}

test('a permission that is committed is answered as made though it could not be taken in, and is taken in later', async () => {
  const { catalogue, feeds } = kernel.platform
  const back = loseAfterCommit('directory', 'permission-catalogue')
  const outcome = await reasonOf(kernel.test.client(RoleService).createPermission({ permissionId: 'orders.kept' }))
  back()
  expect(outcome).toBe('OK')
  expect(await stored('SELECT COUNT(*) AS found FROM permissions WHERE permission_id = ?', ['orders.kept'])).toBe(1)
  await feeds.followDirectory()
  expect(catalogue.has('orders.kept')).toBe(true)
})

test('a tenant’s change that is committed is answered as made though lists cannot show it yet', async () => {
  const tenants = kernel.test.client(TenantService)
  const change = { tenant: { name: acme.name, displayName: 'Acme' }, updateMask: { paths: ['display_name'] } }
  // Its writes are a tenant's too.
  await kernel.platform.accessLog.flush()
  const back = loseAfterCommit('cell', 'tenant')
  const outcome = await reasonOf(tenants.updateTenant(change))
  back()
  expect(outcome).toBe('OK')
  expect((await tenants.getTenant({ name: acme.name })).tenant?.displayName).toBe('Acme')
})
