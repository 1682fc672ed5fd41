import type { Config } from './config/config.ts'
import type { Runtime } from './server.ts'
import type { Storage } from './storage-parts.ts'
import type { ChainPlace } from './tenancy/chain-ends.ts'
import { type ChangeFeed, openChangeFeed } from './tenancy/change-feed.ts'
import { type SweptHead, startHeadSweep } from './tenancy/head-sweep.ts'
import { openHeartbeat } from './tenancy/heartbeat.ts'
import type { JournalCommit } from './tenancy/journal-follower.ts'
import { cellLedger, directoryLedger } from './tenancy/ledger.ts'
import type { PlatformCapabilities } from './tenancy/platform-capability.ts'

/** Everything this server follows: the journals of the directory and of the cell, and the heads themselves. */
export interface Feeds extends AsyncDisposable {
  /** Age in milliseconds of the older of what is followed. */
  ageMs(): number
  /** Resolves when every change of the directory committed before the call was delivered. */
  followDirectory(): Promise<void>
  /** The same for the cell. */
  followCell(): Promise<void>
  /** Resolves when what is known of the directory is its head as it is committed. */
  compareDirectory(): Promise<void>
  /** Follows by itself from now on. */
  start(): void
}

/** Who is told; each resolves when decisions reflect it. */
export interface FeedListeners {
  readonly directory: (commit: JournalCommit) => Promise<void>
  readonly cell: (commit: JournalCommit) => Promise<void>
  readonly head: (head: SweptHead) => Promise<void>
  /** Compares the directory's head with what is known of it. */
  readonly directoryHead: () => Promise<void>
  /** Changes of tenants may have been missed, nobody knows whose. */
  readonly cellOverrun: () => Promise<void>
  readonly chains: ChainListener
}

/** Hears of every chain of the platform or a tenant that has grown, whichever server made it grow. */
export interface ChainListener {
  readonly grown: (place: ChainPlace) => void
  /** Some may have grown unheard. */
  readonly missed: () => void
}

/** How far behind the commits of others decisions may be, at most, while the database answers. */
const intervalMs = 250
const sweepMs = 60_000

export async function openFeeds(
  config: Config,
  runtime: Runtime,
  storage: Storage,
  capabilities: PlatformCapabilities,
  listeners: FeedListeners,
): Promise<Feeds> {
  const parts = { config, runtime, storage, capabilities, listeners }
  await using stack = new AsyncDisposableStack()
  const directory = await openFeed(parts, 'directory')
  const cell = await openFeed(parts, 'cell').catch(async (error) => {
    await directory[Symbol.asyncDispose]()
    throw error
  })
  // Together: where the database is away each waits its time.
  stack.defer(async () => {
    await Promise.all([directory[Symbol.asyncDispose](), cell[Symbol.asyncDispose]()])
  })
  // What the journal tells comes first: most differences are only late.
  const compareDirectory = async () => {
    await directory.poll()
    await listeners.directoryHead()
  }
  const owned = stack.move()
  return {
    ageMs: () => Math.max(directory.freshnessMs(), cell.freshnessMs()),
    followDirectory: () => directory.poll(),
    followCell: () => cell.poll(),
    compareDirectory,
    start() {
      directory.start()
      cell.start()
      owned.use(startSweep(parts, compareDirectory))
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

interface FeedParts {
  readonly config: Config
  readonly runtime: Runtime
  readonly storage: Storage
  readonly capabilities: PlatformCapabilities
  readonly listeners: FeedListeners
}

async function openFeed(parts: FeedParts, of: 'directory' | 'cell'): Promise<ChangeFeed> {
  const { config, storage, capabilities, listeners } = parts
  const { clock, ids, log } = parts.runtime
  const database = storage[of]
  const capability = capabilities[of === 'cell' ? 'change-feed' : 'directory-feed']
  const table = of === 'cell' ? ('feed_heartbeats' as const) : ('directory_heartbeats' as const)
  const beating = { database, capability, table, replica: config.replica, ids, clock }
  return openChangeFeed({
    ...{ database, capability, clock, intervalMs, deliver: listeners[of] },
    ledger: of === 'cell' ? cellLedger : directoryLedger,
    seen: listeners.chains.grown,
    overrun: () => {
      listeners.chains.missed()
      return of === 'cell' ? listeners.cellOverrun() : listeners.directoryHead()
    },
    // A file has one owner: nobody else could write to it.
    heartbeat: storage.engine === 'sqlite' ? undefined : await openHeartbeat(beating),
    failed: (error) => log.error({ err: error }, 'a journal cannot be followed; it is tried again'),
  })
}

function startSweep({ runtime, storage, capabilities, listeners }: FeedParts, compareDirectory: () => Promise<void>) {
  return startHeadSweep({
    cell: storage.cell,
    capability: capabilities['change-feed'],
    intervalMs: sweepMs,
    jitter: runtime.jitter,
    compare: listeners.head,
    compareDirectory,
    failed: (error) => runtime.log.error({ err: error }, 'heads could not be compared; it is tried again'),
  })
}
