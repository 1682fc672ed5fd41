import { type AccessDiffs, createAccessDiffs } from './access/access-diff.ts'
import { loadCatalogue, seedOwnPermissions } from './access/catalogue-loader.ts'
import { createDemands } from './access/demands.ts'
import { PermissionCatalogue } from './access/engine/catalogue.ts'
import { createEngine } from './access/engine/engine.ts'
import type { EngineAlarm } from './access/engine/engine-alarm.ts'
import { combineEngines, type Engines } from './access/engines.ts'
import { createFactsReader } from './access/facts-reader.ts'
import { createFreshness } from './access/freshness.ts'
import { type AccessGate, createGate } from './access/gate.ts'
import { createGrants, type Grants } from './access/grants.ts'
import { createPlatformFactsReader } from './access/platform-facts-reader.ts'
import { createStaleness, type Staleness } from './access/staleness.ts'
import { createStatements, type Statements } from './access/statements.ts'
import { platformTenantId, type TenantId } from './base/ids.ts'
import type { Config } from './config/config.ts'
import { createAuthenticator } from './credentials/authenticator.ts'
import { type ChainListener, type Feeds, openFeeds } from './feeds.ts'
import { registerCells } from './placement/cell-store.ts'
import { changed, compareDirectory, platformChanged } from './platform-changes.ts'
import type { AccessEvent, AccessRecorder, Authenticator, Demands, Freshness } from './rpc/ports.ts'
import type { Runtime } from './server.ts'
import { openStorage, type Storage } from './storage-parts.ts'
import type { AccessFact } from './tenancy/access-batch.ts'
import { type AccessLog, createAccessLog } from './tenancy/access-log.ts'
import { claimCell } from './tenancy/cell-identity.ts'
import { type Directory, openDirectory } from './tenancy/directory.ts'
import { isJobContext } from './tenancy/job-context.ts'
import type { JournalCommit } from './tenancy/journal-follower.ts'
import { outsidePlaces } from './tenancy/place-check.ts'
import { issuePlatformCapabilities, type PlatformCapabilities } from './tenancy/platform-capability.ts'
import { readCell } from './tenancy/platform-scope.ts'
import { provisionTenant } from './tenancy/provisioning.ts'
import { createScopes, type Scopes } from './tenancy/scope.ts'
import { createWriteTurns, type WriteTurns } from './tenancy/write-turns.ts'
import { createTenantDirectory, type TenantDirectory } from './tenants/tenant-directory.ts'
import { allHeads } from './tenants/tenant-store.ts'

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
}

export type CommitListener = (tenantId: string, changes: JournalCommit['changes']) => void

/** Migrates, opens, and finishes what a crash interrupted. Nothing listens yet. */
export async function openPlatform(config: Config, runtime: Runtime): Promise<Platform> {
  await using stack = new AsyncDisposableStack()
  const storage = stack.use(await openStorage(config, runtime))
  const capabilities = issuePlatformCapabilities()
  const opened = await storage.alone(async () => {
    const kernel = await openKernel(config, runtime, storage, capabilities)
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
  return { ...opened, storage, capabilities, accessLog, recorder, [Symbol.asyncDispose]: () => owned.disposeAsync() }
}

function factOf({ caller, ...event }: AccessEvent): AccessFact {
  return { ...event, tenantId: event.context?.tenantId ?? caller.tenantId }
}

/** The directory, the cell and what decides by them, followed from before the first row was read. */
async function openKernel(config: Config, runtime: Runtime, storage: Storage, capabilities: PlatformCapabilities) {
  await using stack = new AsyncDisposableStack()
  const { clock, ids } = runtime
  const catalogue = new PermissionCatalogue()
  const turns = createWriteTurns()
  const late: LateParts = {}
  const listeners: CommitListener[] = []
  const growth = chainWatchers()
  const directory = await openDirectory({
    ...{ database: storage.directory, clock, ids, turns, bootstrap: capabilities.bootstrap },
    feed: capabilities['directory-feed'],
    failed: (error) => runtime.log.error({ err: error }, 'a change of the platform is committed and not taken in yet'),
    committed: (revision, changes) => platformChanged(late, capabilities, catalogue, revision, changes),
  })
  late.directory = directory
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
  const deciding = openDeciding(config, runtime, {
    storage,
    capabilities,
    directory,
    catalogue,
    feeds,
    turns,
    listeners,
  })
  late.engines = deciding.engines
  await deciding.engines.of(platformTenantId)
  const owned = stack.move()
  const onCommitted = (listener: CommitListener) => void listeners.push(listener)
  return {
    directory,
    catalogue,
    feeds,
    onCommitted,
    onGrowth: growth.on,
    ...deciding,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
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

interface Opened {
  readonly storage: Storage
  readonly capabilities: PlatformCapabilities
  readonly directory: Directory
  readonly catalogue: PermissionCatalogue
  readonly feeds: Feeds
  readonly turns: WriteTurns
  readonly listeners: readonly CommitListener[]
}

function openDeciding(config: Config, runtime: Runtime, opened: Opened) {
  const { storage, capabilities, directory, catalogue, feeds, turns, listeners } = opened
  const { clock, ids, log } = runtime
  const tenants = createTenantDirectory({
    ...{ directory, capabilities, ids },
    failed: (error) =>
      log.error({ err: error }, 'a tenant could not be mirrored in the directory; lists show it as it was'),
    heads: () => readCell(storage.cell, capabilities['projection-repair'], allHeads),
    provision: (tenant) => provisionTenant(storage.cell, capabilities['tenant-provisioning'], ids, tenant),
  })
  const late: { engines?: Engines; gate?: AccessGate } = {}
  const scopes = createScopes({
    cell: storage.cell,
    clock,
    ids,
    turns,
    directoryRevision: directory.revision,
    // Not by way of the feed: the caller of a write is answered when decisions reflect it.
    committed: async (commit) => {
      for (const listener of listeners) listener(commit.tenantId, commit.changes)
      if (late.engines !== undefined) await changed(late.engines, commit)
    },
    readmit: async (context, revision) => {
      if (!isJobContext(context)) await late.gate?.readmit(context, revision)
    },
  })
  const staleness = createStaleness({ ageMs: feeds.ageMs, ...config.access })
  const engines = openEngines(config, runtime, opened, { tenants, scopes, staleness })
  const gate = createGate({
    engines,
    clock,
    staleness,
    reachPlatform: async () => {
      const { revision } = await outsidePlaces(directory.readHead)
      await engines.platform.atLeast(platformTenantId, revision)
    },
  })
  late.engines = engines
  late.gate = gate
  const grants = createGrants({ engines, catalogue, clock })
  const demands = createDemands({ engines, catalogue, clock })
  return {
    ...{ tenants, scopes, engines, gate, staleness },
    ...{ grants, demands, statements: createStatements({ engines, clock, grants, demands }) },
    diffs: createAccessDiffs({ engines, catalogue, clock }),
    freshness: createFreshness({ engines, directory, ...feeds }),
    authenticator: createAuthenticator({ engines, clock, environment: config.environment }),
  }
}

interface Sources {
  readonly tenants: TenantDirectory
  readonly scopes: Scopes
  readonly staleness: Staleness
}

const alarmTexts: Readonly<Record<EngineAlarm['kind'], string>> = {
  UNREADABLE_ROW: 'a row that grants access cannot be read; its place is closed',
  REFRESH_FAILED: 'what changed in a tenant could not be read; the next question reads the tenant whole',
}

function openEngines(
  config: Config,
  { clock, log }: Runtime,
  { directory, capabilities, catalogue }: Opened,
  { tenants, scopes, staleness }: Sources,
): Engines {
  const shared = {
    catalogue,
    clock,
    directoryRevision: directory.revision,
    alarm: (alarm: EngineAlarm) => log.error({ ...alarm }, alarmTexts[alarm.kind]),
  }
  const tenantIdOf = async (slug: string) => {
    const found = await tenants.findBySlug(slug)
    return found === undefined || found.state === 'PURGED' ? undefined : (found.tenantId as TenantId)
  }
  const { maxTenantsInMemory: maxTenants } = config.limits
  return combineEngines(
    createEngine({ ...shared, reader: createFactsReader({ scopes, tenantIdOf }), maxTenants }),
    createEngine({ ...shared, reader: createPlatformFactsReader(directory, capabilities), maxTenants: 1 }),
    staleness,
  )
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
