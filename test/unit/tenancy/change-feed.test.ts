import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { UserService } from '../../../src/gen/tenure/v1/user_service_pb.ts'
import { openChangeFeed } from '../../../src/tenancy/change-feed.ts'
import type { Committed } from '../../../src/tenancy/scope.ts'
import { seedPermissions, seedTenant, type TenantFixture } from '../../support/fixture.ts'
import { type Kernel, openKernel } from '../../support/kernel.ts'

let kernel: Kernel
let acme: TenantFixture

beforeAll(async () => {
  kernel = await openKernel()
  await seedPermissions(kernel.test)
  acme = await seedTenant(kernel.test, 'acme')
})

afterAll(() => kernel[Symbol.asyncDispose]())

/** A second follower of the same journal, polled by hand, on a clock of its own. */
async function follow() {
  const delivered: Committed[] = []
  const clock = { nowMs: () => Date.now(), at: 0, monotonicMs: () => clock.at }
  const feed = await openChangeFeed({
    cell: kernel.platform.storage.cell,
    capability: kernel.platform.capabilities['change-feed'],
    clock,
    intervalMs: 3_600_000,
    deliver: async (commit) => void delivered.push(commit),
    failed: (error) => {
      throw error
    },
  })
  return { feed, delivered, clock }
}

function createUser(userId: string) {
  const user = { issuer: 'https://idp.example', subject: userId }
  return kernel.test.client(UserService).createUser({ parent: acme.name, userId, user })
}

function edit(statement: string): void {
  const database = new DatabaseSync(kernel.test.config.database.file)
  database.exec(statement)
  database.close()
}

test('every change of authority is delivered once, with the rows it touched', async () => {
  const { feed, delivered } = await follow()
  await createUser('carol')
  await createUser('dave')
  await feed.poll()
  await feed.poll()
  expect(delivered.map(({ changes }) => changes.map(([table]) => table))).toEqual([['users'], ['users']])
  expect(delivered[1]?.revision).toBe((delivered[0]?.revision ?? 0) + 1)
  await feed[Symbol.asyncDispose]()
})

test('a row that becomes visible behind a later one is still delivered', async () => {
  const { feed, delivered } = await follow()
  await createUser('early')
  await createUser('late')
  // As if the first of two transactions committed last.
  const newest = kernel.sql('SELECT MAX(feed_id) AS id FROM journal', [])[0]?.id as number
  edit(`UPDATE journal SET feed_id = -1 WHERE feed_id = ${newest - 1}`)
  await feed.poll()
  expect(delivered).toHaveLength(1)
  edit(`UPDATE journal SET feed_id = ${newest - 1} WHERE feed_id = -1`)
  await feed.poll()
  expect(delivered).toHaveLength(2)
  await feed[Symbol.asyncDispose]()
})

test('a gap older than any transaction is given up', async () => {
  const { feed, delivered, clock } = await follow()
  await createUser('ghost')
  await createUser('real')
  const newest = kernel.sql('SELECT MAX(feed_id) AS id FROM journal', [])[0]?.id as number
  edit(`UPDATE journal SET feed_id = -1 WHERE feed_id = ${newest - 1}`)
  await feed.poll()
  clock.at += 60_000
  await feed.poll()
  edit(`UPDATE journal SET feed_id = ${newest - 1} WHERE feed_id = -1`)
  await feed.poll()
  expect(delivered).toHaveLength(1)
  await feed[Symbol.asyncDispose]()
})

test('freshness is the age of the last complete poll, from its start', async () => {
  const { feed, clock } = await follow()
  clock.at += 1_234
  expect(feed.freshnessMs()).toBe(1_234)
  await feed.poll()
  expect(feed.freshnessMs()).toBe(0)
  await feed[Symbol.asyncDispose]()
})

test('what another process wrote reaches decisions by the feed alone', async () => {
  const { engines, feed } = kernel.platform
  const snapshot = await engines.tenants.snapshotBySlug('acme')
  expect(snapshot?.principalBySlug('user', 'alice')?.active).toBe(true)
  const { tenantId } = snapshot?.tenant ?? { tenantId: '' }
  const { revision = 0 } = snapshot ?? {}
  const userId = kernel.sql("SELECT user_id FROM users WHERE tenant_id = ? AND slug = 'alice'", [tenantId])[0]?.user_id
  edit(`
    UPDATE users SET state = 'DISABLED' WHERE tenant_id = '${tenantId}' AND user_id = '${String(userId)}';
    UPDATE tenant_heads SET revision = revision + 1 WHERE tenant_id = '${tenantId}';
    INSERT INTO journal (tenant_id, chain, sequence, event_id, workspace_id, event_time, principal, event, target, record, hash, revision, changes)
    VALUES ('${tenantId}', 'authority', 100000, 'x', '', '2026-01-01', '', '', '', x'', x'', ${revision + 1}, '[["users","","${String(userId)}"]]')`)
  await feed.poll()
  expect(snapshot?.principalBySlug('user', 'alice')?.active).toBe(false)
})
