import type { AccessDiffs } from './access/access-diff.ts'
import { loadCatalogue, seedOwnPermissions } from './access/catalogue-loader.ts'
import { PermissionCatalogue } from './access/engine/catalogue.ts'
import type { Engines } from './access/engines.ts'
import type { AccessGate } from './access/gate.ts'
import type { Grants } from './access/grants.ts'
import type { Staleness } from './access/staleness.ts'
import type { Statements } from './access/statements.ts'
import { platformTenantId } from './base/ids.ts'
import { StartError } from './base/start-error.ts'
import type { Config } from './config/config.ts'
import { openDeciding } from './deciding.ts'
import { type ChainListener, type Feeds, openFeeds } from './feeds.ts'
import type { Keyring } from './keyring/keyring.ts'
import { meteredKeyring } from './keyring/metered-keyring.ts'
import { registerCells } from './placement/cell-store.ts'
import { type CommitListener, changed, compareDirectory, platformChanged } from './platform-changes.ts'
import { createPlatformCodes, type PlatformCodes } from './platform-codes.ts'
import { openKeyring } from './platform-keys.ts'
import type { AccessEvent, AccessRecorder, Authenticator, Demands, Freshness } from './rpc/ports.ts'
import type { Runtime } from './server.ts'
import { openStorage, type Storage } from './storage-parts.ts'
import type { AccessFact } from './tenancy/access-batch.ts'
import { type AccessLog, createAccessLog } from './tenancy/access-log.ts'
import { claimCell } from './tenancy/cell-identity.ts'
import type { CodedRowsParts } from './tenancy/coded-rows.ts'
import { type Directory, openDirectory } from './tenancy/directory.ts'
import { replicasOfDirectory } from './tenancy/heartbeat.ts'
import { issuePlatformCapabilities, type PlatformCapabilities } from './tenancy/platform-capability.ts'
import type { Scopes } from './tenancy/scope.ts'
import { createWriteTurns } from './tenancy/write-turns.ts'
import type { TenantDirectory } from './tenants/tenant-directory.ts'

/** The kernel and what decides by it, opened over one configuration: everything below the services. */
export interface Platform extends AsyncDisposable {
  readonly storage: Storage
  readonly capabilities: PlatformCapabilities
  readonly directory: Directory
  readonly tenants: TenantDirectory
  readonly scopes: Scopes
  readonly catalogue: PermissionCatalogue
  readonly engines: Engines
  readonly gate: AccessGate
  readonly grants: Grants
  readonly demands: Demands
  readonly diffs: AccessDiffs
  readonly statements: Statements
  readonly freshness: Freshness
  readonly authenticator: Authenticator
  readonly feeds: Feeds
  readonly staleness: Staleness
  readonly accessLog: AccessLog
  readonly recorder: AccessRecorder
  /** Hears of every commit of a tenant's authority, whichever server made it; more than once of some. */
  onCommitted(listener: CommitListener): void
  /** Hears of every chain that grows, whichever server made it grow. */
  onGrowth(listener: ChainListener): void
  /** Hears of rows that grant power and were not written by Tenure. */
  readonly onForgedRow: PlatformCodes['onForgedRow']
  readonly keyring: Keyring
  /** Over every row that grants power. */
  readonly codedRows: CodedRowsParts
  /** How many of them were given codes at this start; undefined: they had theirs. */
  readonly recodedRows: number | undefined
}

export interface OpenPlatformOptions {
  /** Rows that grant power are given new codes as they stand, where the key of their codes was lost. */
  readonly recode?: boolean
}

/** Migrates, opens, and finishes what a crash interrupted. Nothing listens yet. */
export async function openPlatform(
  config: Config,
  runtime: Runtime,
  { recode = false }: OpenPlatformOptions = {},
): Promise<Platform> {
  await using stack = new AsyncDisposableStack()
  const storage = stack.use(await openStorage(config, runtime))
  const capabilities = issuePlatformCapabilities()
  const keyring = stack.use(
    meteredKeyring(await openKeyring(config, runtime), runtime.clock, runtime.metrics.keyringCalled),
  )
  const opened = await storage.alone(async (assertAlone) => {
    const kernel = await openKernel(config, runtime, storage, capabilities, { keyring, recode, assertAlone })
    stack.use(kernel)
    const interrupted = await kernel.tenants.mendInterrupted()
    if (interrupted > 0) runtime.log.info({ count: interrupted }, 'finished what a crash had interrupted')
    return kernel
  })
  opened.feeds.start()
  const accessLog = stack.use(openAccessLog(config, runtime, storage, capabilities))
  const recorder: AccessRecorder = {
    record: (event) => accessLog.record(factOf(event)),
    recordDurably: (event) => accessLog.recordDurably(factOf(event)),
  }
  const owned = stack.move()
  return {
    ...opened,
    storage,
    capabilities,
    keyring,
    accessLog,
    recorder,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

function factOf({ caller, ...event }: AccessEvent): AccessFact {
  return { ...event, tenantId: event.context?.tenantId ?? caller.tenantId }
}

interface KernelOptions {
  readonly keyring: Keyring
  readonly recode: boolean
  /** Throws where another server may have begun to start. */
  readonly assertAlone: () => Promise<void>
}

/** The directory, the cell and what decides by them, followed from before the first row was read. */
async function openKernel(
  config: Config,
  runtime: Runtime,
  storage: Storage,
  capabilities: PlatformCapabilities,
  { keyring, recode, assertAlone }: KernelOptions,
) {
  await using stack = new AsyncDisposableStack()
  const { clock, ids } = runtime
  const catalogue = new PermissionCatalogue()
  const turns = createWriteTurns()
  const late: LateParts = {}
  const listeners: CommitListener[] = []
  const growth = chainWatchers()
  const { codes, codedRows, onForgedRow, openWith } = createPlatformCodes(storage, capabilities, runtime)
  const directory = await openDirectory({
    ...{ database: storage.directory, clock, ids, turns, codes, bootstrap: capabilities.bootstrap },
    feed: capabilities['directory-feed'],
    failed: (error) => runtime.log.error({ err: error }, 'a change of the platform is committed and not taken in yet'),
    committed: (revision, changes) => platformChanged(late, capabilities, catalogue, revision, changes),
  })
  late.directory = directory
  const recodedRows = await openWith(directory, keyring, {
    recode: async () => recode && assertNoneRuns(storage, capabilities),
    assertAlone,
  })
  const cells = await registerCells(directory, capabilities.bootstrap, config.cells, runtime)
  for (const each of cells) await claimCell(storage.cell, capabilities['cell-identity'], each, clock)
  await seedOwnPermissions(directory, capabilities['permission-catalogue'], runtime)
  const feeds = stack.use(
    await openFeeds(config, runtime, storage, capabilities, {
      directory: ({ revision, changes }) => directory.follow(revision, changes),
      cell: async (commit) => {
        for (const listener of listeners) listener(commit.tenantId, commit.changes)
        if (late.engines !== undefined) await changed(late.engines, commit)
      },
      head: async (head) => late.engines?.tenants.compareHead(head),
      cellOverrun: async () => late.engines?.tenants.dropAll(),
      directoryHead: () => compareDirectory(late, capabilities, catalogue),
      chains: growth.told,
    }),
  )
  // What was committed between the opening of the directory and that of its feed is told by nobody: all of it is read below.
  directory.startFrom(await directory.readHead())
  runtime.metrics.watchFeedFreshness(() => feeds.ageMs() / 1_000)
  await loadCatalogue(directory, capabilities['permission-catalogue'], catalogue)
  const decidedBy = { storage, capabilities, directory, catalogue, feeds, turns, listeners, codes }
  const deciding = openDeciding(config, runtime, decidedBy)
  late.engines = deciding.engines
  await deciding.engines.of(platformTenantId)
  const owned = stack.move()
  const onCommitted = (listener: CommitListener) => void listeners.push(listener)
  return {
    ...{ directory, catalogue, feeds, codedRows, recodedRows, onCommitted, onForgedRow },
    onGrowth: growth.on,
    ...deciding,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

/** A server that runs has the old key, and would make codes that are wrong from now on. */
async function assertNoneRuns(storage: Storage, capabilities: PlatformCapabilities): Promise<true> {
  const known = await replicasOfDirectory(storage.directory, capabilities['directory-feed'])
  const running = await storage.running(known)
  if (running.length === 0) return true
  throw new StartError(`Servers run on this database: ${running.join(', ')}. Stop them, and run tenure recode again.`)
}

/** Whoever is added hears of what `told` is told. */
function chainWatchers() {
  const watchers: ChainListener[] = []
  const told: ChainListener = {
    grown(place) {
      for (const watcher of watchers) watcher.grown(place)
    },
    missed() {
      for (const watcher of watchers) watcher.missed()
    },
  }
  return { told, on: (watcher: ChainListener) => void watchers.push(watcher) }
}

/** Directory and engines need each other; the engines are there before the first write. */
interface LateParts {
  engines?: Engines
  directory?: Directory
}

function openAccessLog(
  config: Config,
  { clock, ids, log }: Runtime,
  storage: Storage,
  capabilities: PlatformCapabilities,
) {
  return createAccessLog({
    cell: storage.cell,
    directoryDatabase: storage.directory,
    capability: capabilities['access-log'],
    directoryCapability: capabilities['platform-access-log'],
    clock,
    ids,
    replica: config.replica,
    failed: (count, error) =>
      error === undefined
        ? log.error({ count }, 'access events could not be written before the end, and are lost')
        : log.error({ count, err: error }, 'access events cannot be written; they are kept and tried again'),
  })
}
