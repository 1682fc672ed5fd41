import { notFound, TenureError } from '../base/errors.ts'
import type { Ids, TenantId } from '../base/ids.ts'
import { firstOwnerRows } from '../people/first-owner-store.ts'
import type { Directory } from '../tenancy/directory.ts'
import type { PlatformCapabilities } from '../tenancy/platform-capability.ts'
import type { FirstRow, NewTenant } from '../tenancy/provisioning.ts'
import type { TenantFields, TenantHeadRow, TenantPlacementRow } from './tenant.ts'
import { TenantHeadTable, TenantPlacementTable } from './tenant-table.ts'

/** The directory's side of a tenant: where it lives, and the projection that lists read. */
export interface TenantDirectory {
  /** Undefined when no tenant has that slug. */
  findBySlug(slug: string): Promise<TenantPlacementRow | undefined>
  /** Undefined when there is no such tenant, or not any more. */
  findById(tenantId: string): Promise<TenantPlacementRow | undefined>
  /** Finishes a creation: makes the tenant in its cell, then marks it ACTIVE. Safe to run any number of times. */
  complete(tenantId: string): Promise<TenantPlacementRow>
  /**
   * Mirrors the head's fields after a write to it. An older head never overwrites a newer projection. The write is
   * committed by then, so this never fails it: what could not be mirrored is told to `failed` and mended at the next write
   * or start.
   */
  project(readHead: () => Promise<TenantFields | undefined>): Promise<void>
  /** At start: finishes every interrupted creation, and brings every projection up to its head. Answers how many it mended. */
  mendInterrupted(): Promise<number>
}

export interface TenantDirectoryOptions {
  readonly directory: Directory
  /** Makes a tenant in its cell; does nothing when it is there already. */
  readonly provision: (tenant: NewTenant) => Promise<void>
  readonly capabilities: PlatformCapabilities
  readonly ids: Ids
  readonly failed: (error: unknown) => void
  /** Every head of the cell. */
  readonly heads: () => Promise<TenantFields[]>
}

/** Interrupted creations are rare; a start looks at this many at a time. */
const interruptedBatch = 100
/** Of a tenant nobody has changed yet. */
const firstVersion = 1
export function createTenantDirectory(options: TenantDirectoryOptions): TenantDirectory {
  const { directory, capabilities } = options
  const capability = capabilities['tenant-directory']
  const complete = async (tenantId: string): Promise<TenantPlacementRow> => {
    const found = await directory.read(capability, (scope) =>
      scope.rows(TenantPlacementTable).findGenuine({ tenantId }),
    )
    if (found === undefined) throw notFound()
    if (found.provisioning === null) return found
    await provision(options, found)
    await directory.writeUnlogged(capability, async (scope) => {
      const rows = scope.rows(TenantPlacementTable)
      await rows.update(tenantId, { provisioning: null })
      // A tenant that was made long ago may have been suspended since: its head has changed then, and is mirrored.
      await rows.update(tenantId, { state: 'ACTIVE' }, { property: 'version', below: firstVersion + 1 })
    })
    return { ...found, provisioning: null }
  }
  const project = (head: TenantFields): Promise<void> =>
    directory.writeUnlogged(capability, async (scope) => {
      const older = { property: 'version', below: head.version } as const
      await scope.rows(TenantPlacementTable).update(head.tenantId, fieldsOf(head), older)
    })
  return {
    findBySlug: (slug) => directory.read(capability, (scope) => scope.rows(TenantPlacementTable).find({ slug })),
    async findById(tenantId) {
      const found = await directory.read(capability, (scope) => scope.rows(TenantPlacementTable).find({ tenantId }))
      return found?.state === 'PURGED' ? undefined : found
    },
    complete,
    async project(readHead) {
      try {
        const head = await readHead()
        if (head !== undefined) await project(head)
      } catch (error) {
        options.failed(error)
      }
    },
    async mendInterrupted() {
      const interrupted = await directory.read(capability, (scope) =>
        scope.rows(TenantPlacementTable).list({ state: 'PROVISIONING' }, interruptedBatch),
      )
      for (const { tenantId } of interrupted) {
        await complete(tenantId).catch((error: unknown) => {
          // Written by somebody else: told of, and never begun.
          if (!(error instanceof TenureError && error.reason === 'NOT_FOUND')) throw error
        })
      }
      const projected = await directory.read(capability, (scope) => scope.rows(TenantPlacementTable).all({}))
      const versions = new Map(projected.map(({ tenantId, version }) => [tenantId, version]))
      const behind = (await options.heads()).filter(
        ({ tenantId, version }) => (versions.get(tenantId) ?? version) < version,
      )
      for (const head of behind) await project(head)
      return interrupted.length + behind.length
    },
  }
}

async function provision(options: TenantDirectoryOptions, placement: TenantPlacementRow): Promise<void> {
  const { provisioning } = placement
  if (provisioning === null) return
  const head: Partial<TenantHeadRow> = {
    ...fieldsOf(placement),
    state: 'ACTIVE',
    timelineId: provisioning.timelineId,
    placementEpoch: placement.placementEpoch,
  }
  await options.provision({
    tenantId: placement.tenantId as TenantId,
    target: `tenants/${placement.slug}`,
    actor: provisioning.actor,
    time: placement.createTime,
    head: { table: TenantHeadTable as FirstRow['table'], row: head },
    firstRows:
      provisioning.initialOwner === null
        ? []
        : firstOwnerRows(options.ids, placement.tenantId, placement.createTime, provisioning.initialOwner),
  })
}

function fieldsOf(row: TenantFields): TenantFields {
  const { tenantId, slug, displayName, state, suspensionMode, suspensionReason, suspensionTime, plan, tier } = row
  const { region, isolation, cellId, labels, version, createTime, updateTime, deleteTime, purgeTime } = row
  return {
    ...{ tenantId, slug, displayName, state, suspensionMode, suspensionReason, suspensionTime, plan, tier },
    ...{ region, isolation, cellId, labels, version, createTime, updateTime, deleteTime, purgeTime },
  }
}
