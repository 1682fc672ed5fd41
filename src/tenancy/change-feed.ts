import type { Clock } from '../base/clock.ts'
import type { Database } from '../storage/database.ts'
import { authorityChain } from './audit-chain.ts'
import type { ChainPlace } from './chain-ends.ts'
import type { Heartbeat } from './heartbeat.ts'
import { type JournalCommit, JournalFollower } from './journal-follower.ts'
import type { Ledger } from './ledger.ts'
import { outsidePlaces } from './place-check.ts'
import { type PlatformCapability, platformBindingOf } from './platform-capability.ts'

/** Follows a journal, so that whatever any server commits reaches the decisions of this one. */
export interface ChangeFeed extends AsyncDisposable {
  /** Age in milliseconds of what is known: time since the last complete poll began. */
  freshnessMs(): number
  /** Polls now; resolves when what was committed before the call has been delivered. */
  poll(): Promise<void>
  /** Polls by itself from now on: once everything that `deliver` tells is there to be told. */
  start(): void
}

export interface ChangeFeedOptions {
  readonly database: Database
  readonly ledger: Ledger
  readonly capability: PlatformCapability<'change-feed' | 'directory-feed'>
  readonly clock: Clock
  readonly intervalMs: number
  /** Undefined where this process is the only one that can write. */
  readonly heartbeat: Heartbeat | undefined
  /**
   * Called for every change of authority, in the order of each tenant, without waiting for the one before; again at the next
   * poll when one of them rejects.
   */
  readonly deliver: (commit: JournalCommit) => Promise<void>
  /** Hears of every chain that has grown, of authority or not, before what grew is delivered. */
  readonly seen: (place: ChainPlace) => void
  /** Called when changes may have been missed: whatever is known has to be read anew. */
  readonly overrun: () => Promise<void>
  /** Hears of the first failure after a success. */
  readonly failed: (error: unknown) => void
}

/** Begins behind what is committed now: call it before anything is loaded, so that no commit falls between. */
export async function openChangeFeed(options: ChangeFeedOptions): Promise<ChangeFeed> {
  const { database, ledger, capability, clock } = options
  const openedMs = clock.monotonicMs()
  const follower = await database.read(platformBindingOf(capability), (manager) =>
    JournalFollower.open(manager, ledger, new Date(clock.nowMs()), openedMs),
  )
  const feed = new PolledFeed(options, follower, openedMs)
  await feed.poll()
  return feed
}

/** How long a drain waits for the poll under way, in milliseconds. */
const lastPollMs = 1_000

class PolledFeed implements ChangeFeed {
  readonly #options: ChangeFeedOptions
  readonly #follower: JournalFollower
  /** When the last complete poll began, on the monotonic clock. */
  #completeAtMs: number
  /** Read and not delivered yet: what could not be delivered is not forgotten. */
  #undelivered: JournalCommit[] = []
  #overrun = false
  #running: Promise<void> = Promise.resolve()
  #next: Promise<void> | undefined
  #timer: NodeJS.Timeout | undefined
  #stopped = false
  #failing = false

  constructor(options: ChangeFeedOptions, follower: JournalFollower, completeAtMs: number) {
    this.#options = options
    this.#follower = follower
    this.#completeAtMs = completeAtMs
  }

  freshnessMs(): number {
    return this.#options.clock.monotonicMs() - this.#completeAtMs
  }

  /** A poll under way may have read before the caller's commit; the next one has not, and serves all who ask until it begins. */
  poll(): Promise<void> {
    this.#next ??= this.#running.then(() => {
      this.#next = undefined
      const polled = outsidePlaces(() => this.#poll())
      this.#running = polled.catch(() => undefined)
      return polled
    })
    return this.#next
  }

  start(): void {
    this.#timer = setTimeout(() => void this.#tick(), this.#options.intervalMs)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#timer)
    const tooLong = new Promise<void>((resolve) => setTimeout(resolve, lastPollMs).unref())
    await Promise.race([this.#running, tooLong])
    // Where nothing can be written there is nothing to take away either; the next server of the name does.
    if (!this.#failing) await Promise.race([this.#options.heartbeat?.[Symbol.asyncDispose](), tooLong])
  }

  async #tick(): Promise<void> {
    try {
      await this.poll()
      this.#failing = false
    } catch (error) {
      if (!this.#failing) this.#options.failed(error)
      this.#failing = true
    }
    if (!this.#stopped) this.start()
  }

  async #poll(): Promise<void> {
    const { database, capability, clock, heartbeat, deliver, seen, overrun } = this.#options
    const startedMs = clock.monotonicMs()
    await heartbeat?.beat()
    for (;;) {
      const { commits, whole, ...reading } = await database.read(platformBindingOf(capability), async (manager) => {
        await heartbeat?.assertSeen(manager)
        return this.#follower.read(manager, startedMs)
      })
      for (const { tenantId, chain } of commits) seen({ tenantId, chain })
      this.#undelivered.push(...commits.filter(({ chain }) => chain === authorityChain))
      this.#overrun ||= reading.overrun
      // At once, so that what touches one tenant is read again together.
      await Promise.all(this.#undelivered.map(deliver))
      this.#undelivered = []
      if (this.#overrun) await overrun()
      this.#overrun = false
      if (whole) break
    }
    this.#completeAtMs = startedMs
  }
}
