import type { Clock } from '../base/clock.ts'
import type { TenantId } from '../base/ids.ts'
import type { Database } from '../storage/database.ts'
import { authorityChain } from './audit-chain.ts'
import { type PlatformCapability, platformBindingOf } from './platform-capability.ts'
import type { Committed } from './scope.ts'

/** Follows the journal of a cell, so that whatever any server commits reaches the decisions of this one. */
export interface ChangeFeed extends AsyncDisposable {
  /** Age in milliseconds of what is known: time since the last complete poll began. Infinite before the first. */
  freshnessMs(): number
  /** Polls now; resolves when what was committed before the call has been delivered. */
  poll(): Promise<void>
}

export interface ChangeFeedOptions {
  readonly cell: Database
  readonly capability: PlatformCapability<'change-feed'>
  readonly clock: Clock
  readonly intervalMs: number
  /** Called for every change of authority, once, in no promised order between tenants. Must not throw. */
  readonly deliver: (commit: Committed) => Promise<void>
  readonly failed: (error: unknown) => void
}

const batch = 1_000
/**
 * Ids are drawn when a row is written and seen when it commits: a lower id can appear after a higher one. A gap is asked
 * for again until it appears or is older than any transaction is allowed to live; then its writer rolled back.
 */
const gapLifeMs = 10_000

interface JournalLine {
  readonly feedId: number
  readonly chain: string
  readonly commit: Committed
}

/** Begins behind what is committed now: call it before anything is loaded, so that no commit falls between. */
export async function openChangeFeed(options: ChangeFeedOptions): Promise<ChangeFeed> {
  const follower = new JournalFollower(options, await newestFeedId(options))
  let running: Promise<void> | undefined
  let stopped = false
  let timer: NodeJS.Timeout | undefined
  const poll = (): Promise<void> => {
    // A poll under way may have read before the caller's commit; the next one has not.
    const next = (running ?? Promise.resolve()).then(() => follower.poll())
    running = next.catch(() => undefined)
    return next
  }
  const tick = async (): Promise<void> => {
    await poll().catch(options.failed)
    if (!stopped) timer = setTimeout(() => void tick(), options.intervalMs)
  }
  await poll()
  timer = setTimeout(() => void tick(), options.intervalMs)
  return {
    freshnessMs: () => options.clock.monotonicMs() - follower.completeAtMs,
    poll,
    async [Symbol.asyncDispose]() {
      stopped = true
      clearTimeout(timer)
      await running
    },
  }
}

class JournalFollower {
  /** When the last complete poll began, on the monotonic clock. */
  completeAtMs = Number.NEGATIVE_INFINITY
  readonly #options: ChangeFeedOptions
  /** Ids that were passed over, and when. */
  readonly #gaps = new Map<number, number>()
  #newest: number

  constructor(options: ChangeFeedOptions, newest: number) {
    this.#options = options
    this.#newest = newest
  }

  async poll(): Promise<void> {
    const startedMs = this.#options.clock.monotonicMs()
    for (;;) {
      const lines = await this.#read()
      for (const line of lines) {
        if (line.chain === authorityChain) await this.#options.deliver(line.commit)
      }
      if (lines.length < batch) break
    }
    this.completeAtMs = startedMs
  }

  async #read(): Promise<JournalLine[]> {
    const nowMs = this.#options.clock.monotonicMs()
    for (const [id, sinceMs] of this.#gaps) if (nowMs - sinceMs > gapLifeMs) this.#gaps.delete(id)
    const gaps = [...this.#gaps.keys()]
    const lines = await this.#options.cell.read(platformBindingOf(this.#options.capability), async (manager) => {
      const found: Record<string, unknown>[] = await manager.query(
        `${columns} WHERE feed_id > ? ORDER BY feed_id LIMIT ${batch}`,
        [this.#newest],
      )
      for (const id of gaps) found.push(...(await manager.query(`${columns} WHERE feed_id = ?`, [id])))
      return found.map(lineFrom)
    })
    for (const { feedId } of lines) this.#saw(feedId, nowMs)
    return lines
  }

  #saw(feedId: number, nowMs: number): void {
    this.#gaps.delete(feedId)
    if (feedId <= this.#newest) return
    for (let id = this.#newest + 1; id < feedId; id += 1) this.#gaps.set(id, nowMs)
    this.#newest = feedId
  }
}

const columns = 'SELECT feed_id, tenant_id, chain, revision, changes FROM journal'

function lineFrom(row: Record<string, unknown>): JournalLine {
  const changes = row.changes === null ? [] : JSON.parse(String(row.changes))
  const commit = { tenantId: String(row.tenant_id) as TenantId, revision: Number(row.revision), changes }
  return { feedId: Number(row.feed_id), chain: String(row.chain), commit }
}

async function newestFeedId({ cell, capability }: ChangeFeedOptions): Promise<number> {
  const rows: Record<string, unknown>[] = await cell.read(platformBindingOf(capability), (manager) =>
    manager.query('SELECT MAX(feed_id) AS newest FROM journal'),
  )
  return Number(rows[0]?.newest ?? 0)
}
