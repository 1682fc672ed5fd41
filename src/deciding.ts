import { createAccessDiffs } from './access/access-diff.ts'
import { createDemands } from './access/demands.ts'
import type { PermissionCatalogue } from './access/engine/catalogue.ts'
import { createEngine } from './access/engine/engine.ts'
import type { EngineAlarm } from './access/engine/engine-alarm.ts'
import { combineEngines, type Engines } from './access/engines.ts'
import { createFactsReader } from './access/facts-reader.ts'
import { createFreshness } from './access/freshness.ts'
import { type AccessGate, createGate } from './access/gate.ts'
import { createGrants } from './access/grants.ts'
import { createPlatformFactsReader } from './access/platform-facts-reader.ts'
import { createStaleness, type Staleness } from './access/staleness.ts'
import { createStatements } from './access/statements.ts'
import { platformTenantId, type TenantId } from './base/ids.ts'
import type { Config } from './config/config.ts'
import { createAuthenticator } from './credentials/authenticator.ts'
import type { Feeds } from './feeds.ts'
import { type CommitListener, changed } from './platform-changes.ts'
import type { Runtime } from './server.ts'
import type { Storage } from './storage-parts.ts'
import type { Directory } from './tenancy/directory.ts'
import { isJobContext } from './tenancy/job-context.ts'
import { outsidePlaces } from './tenancy/place-check.ts'
import type { PlatformCapabilities } from './tenancy/platform-capability.ts'
import { readCell } from './tenancy/platform-scope.ts'
import { provisionTenant } from './tenancy/provisioning.ts'
import type { RowCodes } from './tenancy/row-codes.ts'
import { createScopes, type Scopes } from './tenancy/scope.ts'
import type { WriteTurns } from './tenancy/write-turns.ts'
import { createTenantDirectory, type TenantDirectory } from './tenants/tenant-directory.ts'
import { allHeads } from './tenants/tenant-store.ts'

/** What decides needs: the databases, and what is followed of them. */
export interface Opened {
  readonly storage: Storage
  readonly capabilities: PlatformCapabilities
  readonly directory: Directory
  readonly catalogue: PermissionCatalogue
  readonly feeds: Feeds
  readonly turns: WriteTurns
  readonly listeners: readonly CommitListener[]
  readonly codes: RowCodes
}

/** What decides, over one directory and one cell. */
export function openDeciding(config: Config, runtime: Runtime, opened: Opened) {
  const { storage, capabilities, directory, catalogue, feeds, turns, listeners, codes } = opened
  const { clock, ids, log } = runtime
  const tenants = createTenantDirectory({
    ...{ directory, capabilities, ids },
    failed: (error) =>
      log.error({ err: error }, 'a tenant could not be mirrored in the directory; lists show it as it was'),
    heads: () => readCell(storage.cell, capabilities['projection-repair'], allHeads),
    provision: (tenant) => provisionTenant(storage.cell, capabilities['tenant-provisioning'], ids, codes, tenant),
  })
  const late: { engines?: Engines; gate?: AccessGate } = {}
  const scopes = createScopes({
    cell: storage.cell,
    clock,
    ids,
    turns,
    codes,
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
  const grants = createGrants({ engines, catalogue, clock, followDirectory: feeds.followDirectory })
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
