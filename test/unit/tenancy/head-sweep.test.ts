import { afterAll, beforeAll, expect, test } from 'vitest'
import type { TenantId } from '../../../src/base/ids.ts'
import { type SweptHead, sweepHeads } from '../../../src/tenancy/head-sweep.ts'
import { seedPermissions, seedTenant, type TenantFixture } from '../../support/fixture.ts'
import { type Kernel, openKernel } from '../../support/kernel.ts'

let kernel: Kernel
let acme: TenantFixture

beforeAll(async () => {
  kernel = await openKernel()
  await seedPermissions(kernel.test)
  acme = await seedTenant(kernel.test, 'acme')
  await seedTenant(kernel.test, 'globex')
})

afterAll(() => kernel[Symbol.asyncDispose]())

function sweep(compare: (head: SweptHead) => Promise<void>): Promise<void> {
  const { storage, capabilities } = kernel.platform
  return sweepHeads({ cell: storage.cell, capability: capabilities['change-feed'], compare })
}

/** As the running server sweeps. */
function sweepInto(): Promise<void> {
  return sweep((head) => kernel.platform.engines.tenants.compareHead(head))
}

async function loaded() {
  const snapshot = await kernel.platform.engines.tenants.snapshotById(acme.uid as TenantId)
  if (snapshot === undefined) throw new Error('acme is not there')
  return snapshot
}

test('a sweep sees every head as it is committed', async () => {
  const heads: SweptHead[] = []
  await sweep(async (head) => void heads.push(head))
  expect(heads).toHaveLength(2)
  expect(heads.find(({ tenantId }) => tenantId === acme.uid)?.revision).toBe((await loaded()).revision)
})

test('a change that no event told of is found by the sweep', async () => {
  const before = await loaded()
  await kernel.sideDoor.run('UPDATE users SET state = ? WHERE tenant_id = ? AND slug = ?', [
    ...['DISABLED', acme.uid, 'bob'],
  ])
  await kernel.sideDoor.run('UPDATE tenant_heads SET revision = revision + 1 WHERE tenant_id = ?', [acme.uid])
  expect(before.principalBySlug('user', 'bob')?.active).toBe(true)
  await sweepInto()
  expect((await loaded()).principalBySlug('user', 'bob')).toBeUndefined()
})

test('a database that was put back to an older state is noticed, and what was known of it is forgotten', async () => {
  const before = await loaded()
  await kernel.sideDoor.run('UPDATE tenant_heads SET revision = revision - 2 WHERE tenant_id = ?', [acme.uid])
  await sweepInto()
  expect(before.retired).toBe(true)
  expect((await loaded()).revision).toBe(before.revision - 2)
})

test('the same revision with another history is noticed', async () => {
  const before = await loaded()
  await kernel.sideDoor.run('UPDATE tenant_heads SET chain_hash = ? WHERE tenant_id = ?', [
    ...[Buffer.alloc(32, 7), acme.uid],
  ])
  await sweepInto()
  expect(before.retired).toBe(true)
})
