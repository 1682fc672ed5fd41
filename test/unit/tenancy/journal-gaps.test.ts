import { afterAll, beforeAll, expect, test } from 'vitest'
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
  const seen = { overruns: 0 }
  const feed = await openChangeFeed({
    database: kernel.platform.storage.cell,
    ledger: cellLedger,
    heartbeat: undefined,
    seen: () => undefined,
    overrun: async () => {
      seen.overruns += 1
    },
    capability: kernel.platform.capabilities['change-feed'],
    clock,
    intervalMs: 3_600_000,
    deliver: async (commit) => void delivered.push(commit),
    failed: (error) => {
      throw error
    },
  })
  return { feed, delivered, clock, seen }
}

async function newestFeedId(): Promise<number> {
  const [newest] = await kernel.sideDoor.all('SELECT MAX(feed_id) AS id FROM journal')
  return Number(newest?.id)
}

/** Rows as other writers would have committed them, of a tenant that nobody asks for. */
async function commit(feedIds: readonly number[]): Promise<void> {
  const rows = feedIds.map(
    (id) => `(${id}, 'nobody', 'authority', ${id}, 'x', '', '2026-01-01', '', '', '', '', '', 1, '[]')`,
  )
  await kernel.sideDoor.run(
    `INSERT INTO journal (feed_id, tenant_id, chain, sequence, event_id, workspace_id, event_time, principal, event, target, record, hash, revision, changes) VALUES ${rows.join(', ')}`,
  )
}

function idsOf(commits: readonly JournalCommit[]): number[] {
  return commits.map((each) => (each as JournalCommit & { readonly feedId: number }).feedId).sort((a, b) => a - b)
}

test('a commit that fills a gap while nobody polled for longer than gaps live is still delivered', async () => {
  const { feed, delivered, clock } = await follow()
  const id = (await newestFeedId()) + 2
  await commit([id])
  await feed.poll()
  await commit([id - 1])
  clock.at += 600_000
  await feed.poll()
  expect(idsOf(delivered)).toEqual([id - 1, id])
  await feed[Symbol.asyncDispose]()
})

test('of many gaps every one is asked for in one poll', async () => {
  const { feed, delivered } = await follow()
  const first = (await newestFeedId()) + 1
  const late = Array.from({ length: 650 }, (_, index) => first + index)
  await commit([first + late.length])
  await feed.poll()
  await commit(late)
  await feed.poll()
  expect(idsOf(delivered)).toEqual([...late, first + late.length])
  await feed[Symbol.asyncDispose]()
})

test('a jump of ids far ahead is passed in one poll, and told of as something that may have been missed', async () => {
  const { feed, delivered, seen } = await follow()
  const id = (await newestFeedId()) + 1_000_000_000
  await commit([id])
  const startMs = performance.now()
  await feed.poll()
  expect(performance.now() - startMs).toBeLessThan(1_000)
  expect([idsOf(delivered), seen.overruns]).toEqual([[id], 1])
  await feed.poll()
  expect(seen.overruns).toBe(1)
  await feed[Symbol.asyncDispose]()
})

test('after such a jump every tenant is read anew: a change that no event told of is in decisions', async () => {
  const { engines, feeds } = kernel.platform
  const isActive = async () => (await engines.tenants.snapshotBySlug('acme'))?.principalBySlug('user', 'alice')?.active
  await feeds.followCell()
  expect(await isActive()).toBe(true)
  await kernel.sideDoor.run("UPDATE users SET state = 'DISABLED' WHERE tenant_id = ? AND slug = 'alice'", [acme.uid])
  await feeds.followCell()
  expect(await isActive()).toBe(true)
  await commit([(await newestFeedId()) + 1_000_000])
  await feeds.followCell()
  expect(await isActive()).toBeUndefined()
})
