import { loadCatalogue } from './access/catalogue-loader.ts'
import type { PermissionCatalogue } from './access/engine/catalogue.ts'
import type { Engines } from './access/engines.ts'
import { factsOfCommit } from './access/facts-of-commit.ts'
import { platformTenantId } from './base/ids.ts'
import type { Directory } from './tenancy/directory.ts'
import type { JournalCommit } from './tenancy/journal-follower.ts'
import type { PlatformCapabilities } from './tenancy/platform-capability.ts'
import type { Committed } from './tenancy/tenant-unit.ts'

export type CommitListener = (tenantId: string, changes: JournalCommit['changes']) => void

/** A change that the engine knows already, by its revision, costs nothing. */
export async function changed(engines: Engines, commit: JournalCommit | Committed): Promise<void> {
  const { tenantId, revision, changes, chainHash } = commit
  const rows = changes.map(([table, workspaceId, id]) => ({ table, workspaceId, id }))
  const facts = 'contents' in commit ? factsOfCommit(changes, commit.contents) : undefined
  await engines.tenants.committed({ tenantId, revision, rows, chainHash, ...(facts === undefined ? {} : { facts }) })
}

/** Reads the directory's part of decisions anew where its head is not the one they were made from: changes were missed, or it was restored. */
export async function compareDirectory(
  { engines, directory }: { readonly engines?: Engines; readonly directory?: Directory },
  capabilities: PlatformCapabilities,
  catalogue: PermissionCatalogue,
): Promise<void> {
  if (engines === undefined || directory === undefined) return
  const head = await directory.readHead()
  if (head.timelineId === directory.timelineId() && head.revision <= directory.revision()) return
  await directory.reread(async () => {
    const now = await directory.readHead()
    // First, so that nobody is decided about by what is no more, whatever becomes of the rest.
    engines.platform.drop(platformTenantId)
    await loadCatalogue(directory, capabilities['permission-catalogue'], catalogue)
    engines.tenants.catalogueChanged()
    await engines.platform.snapshotById(platformTenantId)
    return now
  })
}

/** A platform write is in every decision before its caller hears of it. */
export async function platformChanged(
  { engines, directory }: { readonly engines?: Engines; readonly directory?: Directory },
  capabilities: PlatformCapabilities,
  catalogue: PermissionCatalogue,
  revision: number,
  changes: readonly (readonly [string, string, string])[],
): Promise<void> {
  if (engines === undefined || directory === undefined) return
  if (changes.some(([table]) => table === 'permissions')) {
    await loadCatalogue(directory, capabilities['permission-catalogue'], catalogue)
    engines.tenants.catalogueChanged()
    engines.platform.catalogueChanged()
  }
  const rows = changes.map(([table, workspaceId, id]) => ({ table, workspaceId, id }))
  await engines.platform.committed({ tenantId: platformTenantId, revision, rows })
}
