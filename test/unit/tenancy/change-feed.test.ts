import { afterAll, beforeAll, expect, test } from 'vitest'
import { UserService } from '../../../src/gen/tenure/v1/user_service_pb.ts'
import { openChangeFeed } from '../../../src/tenancy/change-feed.ts'
import type { JournalCommit } from '../../../src/tenancy/journal-follower.ts'
import { cellLedger } from '../../../src/tenancy/ledger.ts'
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
  const delivered: JournalCommit[] = []
  const clock = { nowMs: () => Date.now(), at: 0, monotonicMs: () => clock.at }
  const feed = await openChangeFeed({
    database: kernel.platform.storage.cell,
    ledger: cellLedger,
    heartbeat: undefined,
    seen: () => undefined,
    overrun: async () => undefined,
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

async function newestFeedId(): Promise<number> {
  const [newest] = await kernel.sideDoor.all('SELECT MAX(feed_id) AS id FROM journal')
  return Number(newest?.id)
}

/** As if the transaction of a row had not committed yet, or had just now. */
async function moveFeedId(from: number, to: number): Promise<void> {
  await kernel.sideDoor.run('UPDATE journal SET feed_id = ? WHERE feed_id = ?', [to, from])
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
  const first = (await newestFeedId()) - 1
  await moveFeedId(first, -1)
  await feed.poll()
  expect(delivered).toHaveLength(1)
  await moveFeedId(-1, first)
  await feed.poll()
  expect(delivered).toHaveLength(2)
  await feed[Symbol.asyncDispose]()
})

test('a gap older than any transaction is given up', async () => {
  const { feed, delivered, clock } = await follow()
  await createUser('ghost')
  await createUser('real')
  const first = (await newestFeedId()) - 1
  await moveFeedId(first, -1)
  await feed.poll()
  clock.at += 60_000
  await feed.poll()
  await moveFeedId(-1, first)
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
  const { engines, feeds } = kernel.platform
  const { sideDoor } = kernel
  const snapshot = await engines.tenants.snapshotBySlug('acme')
  expect(snapshot?.principalBySlug('user', 'alice')?.active).toBe(true)
  const { tenantId } = snapshot?.tenant ?? { tenantId: '' }
  const { revision = 0 } = snapshot ?? {}
  const [alice] = await sideDoor.all("SELECT user_id FROM users WHERE tenant_id = ? AND slug = 'alice'", [tenantId])
  const userId = String(alice?.user_id)
  await sideDoor.run("UPDATE users SET state = 'DISABLED' WHERE tenant_id = ? AND user_id = ?", [tenantId, userId])
  await sideDoor.run('UPDATE tenant_heads SET revision = revision + 1 WHERE tenant_id = ?', [tenantId])
  await sideDoor.run(
    `INSERT INTO journal (tenant_id, chain, sequence, event_id, workspace_id, event_time, principal, event, target, record, hash, revision, changes)
    VALUES (?, 'authority', 100000, 'x', '', '2026-01-01', '', '', '', ?, ?, ?, ?)`,
    [tenantId, Buffer.of(), Buffer.of(), revision + 1, JSON.stringify([['users', '', userId]])],
  )
  await feeds.followCell()
  // Read again; and left out, because by hand nobody can give it the code of what it says now.
  expect(snapshot?.principalBySlug('user', 'alice')).toBeUndefined()
})
