import { create } from '@bufbuild/protobuf'
import { EmptySchema } from '@bufbuild/protobuf/wkt'
import { notFound } from '../base/errors.ts'
import type { Job, JobRun } from '../operations/job.ts'
import type { OperationRow } from '../operations/operation.ts'
import { platformOperationRows } from '../operations/operation-store.ts'
import { authorityChain } from '../tenancy/audit-chain.ts'
import { type JobPlace, jobContext } from '../tenancy/job-context.ts'
import { journalRows } from '../tenancy/journal-store.ts'
import type { PlatformReadScope } from '../tenancy/platform-scope.ts'
import { readerContext } from '../tenancy/reader-context.ts'
import type { TenantContext } from '../tenancy/tenant-context.ts'
import { assertPurgeStands, destroyKey, genuineRow, type PurgeParts, purged, RemovedRows, textNote } from './purge.ts'
import type { TenantFields, TenantHeadRow } from './tenant.ts'
import { headRows } from './tenant-store.ts'
import { TenantHeadTable } from './tenant-table.ts'
import { workspaceRows } from './workspace-store.ts'

export const purgeTenantKind = 'tenants.purge'

/** Longer than a transaction lives: what another server had begun to write when the fence came is written by then. */
const settleMs = 6_000
const keysPerReport = 50

/**
 * Removes a tenant: first the fence, from which on there is no way back and nobody finds it, in no list either; then its
 * keys, so that nothing sealed can be read even if the rest takes days; then its rows, in small transactions. The head,
 * one line of the journal and the entry stay, empty, and keep name and uid.
 */
export function purgeTenantJob(parts: PurgeParts): Job {
  return {
    kind: purgeTenantKind,
    untilDone: true,
    async run(run) {
      const { operation } = run
      const place = {
        tenantId: textNote(operation.input, 'tenantId'),
        tenantSlug: textNote(operation.input, 'slug'),
        actor: operation.actor,
      }
      const reading = readerContext(place.tenantId)
      const readHead = () => parts.scopes.read(reading, (scope) => genuineRow(headRows(scope), {}))
      const head = await readHead()
      const context = jobContext(parts.capabilities.operations, place, head)
      if (head?.state !== 'PURGED') {
        await run.stopIfCancelled()
        await raiseFence(parts, context, operation).catch(async (error: unknown) => {
          // Since it was looked at, whoever had the operation before may have raised it: then there is no way back.
          if ((await readHead())?.state !== 'PURGED') throw error
        })
      }
      const empty = () => parts.tenants.project(readHead)
      // Lists read the directory: what is left may take days, and no list shows words of a tenant nobody finds.
      await empty()
      const destroyed = await destroyKeys(parts, context, run)
      const removed = await removeRows(parts, context, run, destroyed)
      // Where the directory was away at the fence.
      await empty()
      await parts.forgetCheckpoints(place.tenantId)
      await auditEnd(parts, place, operation.target, removed, destroyed)
      await run.progress(purged(parts.tables.length))
      return removed.receipt(operation, place.tenantId, parts.clock.nowMs(), destroyed)
    },
  }
}

/** Uids of the tenants that a purge is asked for, and has not come to its end. */
export async function tenantsBeingPurged(scope: PlatformReadScope): Promise<ReadonlySet<string>> {
  const open = await platformOperationRows(scope).allGenuine({ kind: purgeTenantKind, state: 'OPEN' })
  return new Set(open.map(({ input }) => textNote(input, 'tenantId')))
}

/** What the tombstone shows of what it was: nothing. */
function emptied(head: TenantHeadRow, now: Date): Partial<TenantFields> {
  return {
    state: 'PURGED',
    displayName: '',
    ...{ suspensionMode: 'NONE', suspensionReason: '', suspensionTime: null, labels: {} },
    ...{ version: head.version + 1, updateTime: now, purgeTime: now },
  }
}

async function raiseFence(parts: PurgeParts, context: TenantContext, operation: OperationRow): Promise<void> {
  const { target } = operation
  const mutation = {
    ...{ event: purgeTenantKind, target, idempotency: undefined, response: EmptySchema },
    ...{ validateOnly: false, onDeletedTenant: true },
  }
  await parts.scopes.write(context, mutation, async (unit) => {
    const head = await unit.rows(TenantHeadTable).find({})
    if (head === undefined) throw notFound()
    assertPurgeStands('tenant', head, operation)
    await unit.rows(TenantHeadTable).update(head.tenantId, emptied(head, unit.now))
    return create(EmptySchema)
  })
}

async function destroyKeys(parts: PurgeParts, context: TenantContext, run: JobRun): Promise<number> {
  // A row that was forged may name a workspace of somebody else, whose key it is.
  const workspaces = await parts.scopes.readAllWorkspaces(context, 'purge', (scope) =>
    workspaceRows(scope).allGenuine({}),
  )
  let destroyed = 0
  for (const [at, { workspaceId }] of workspaces.entries()) {
    if (at % keysPerReport === 0) {
      await run.progress({ phase: 'keys', done: at, total: workspaces.length, message: 'Destroying keys.' })
    }
    if (await destroyKey(parts.sealer, workspaceId)) destroyed += 1
  }
  // Destroying again is answered as the first time was; those of workspaces whose rows are gone were counted before.
  return Math.max(destroyed, Number(run.operation.checkpoint.destroyedKeys ?? 0))
}

async function removeRows(
  parts: PurgeParts,
  context: TenantContext,
  run: JobRun,
  destroyedKeys: number,
): Promise<RemovedRows> {
  const removed = new RemovedRows(run.operation.checkpoint)
  const keep = await tombstoneFeedId(parts, context)
  // Twice, with a pause: an access that another server had in hand when the fence came is written by then.
  for (const pass of ['rows', 'leftovers']) {
    if (pass === 'leftovers') await new Promise((resolve) => setTimeout(resolve, settleMs))
    for (const [at, table] of parts.tables.entries()) {
      const name = table.options.name
      for (;;) {
        const message = `Removing ${name}.`
        const checkpoint = { ...removed.notes(), destroyedKeys }
        await run.progress({ phase: pass, done: at, total: parts.tables.length, message, checkpoint })
        const count = await parts.erase(context, table, name === 'journal' ? keep : undefined)
        if (count === 0) break
        removed.add(name, count)
      }
    }
  }
  return removed
}

/** The line of the journal that says the tenant was purged. */
async function tombstoneFeedId({ scopes }: PurgeParts, context: TenantContext): Promise<number> {
  const line = await scopes.read(context, async (scope) => {
    const head = await headRows(scope).find({})
    if (head === undefined) throw notFound()
    return journalRows(scope).find({ chain: authorityChain, sequence: head.sequence })
  })
  if (line === undefined) throw new Error('the end of the chain is not in the journal')
  return line.feedId
}

/** In the platform's chain, because the tenant's own is gone: what was removed, and where the chain had come to. */
async function auditEnd(
  { directory, capabilities }: PurgeParts,
  { actor, tenantId }: JobPlace,
  target: string,
  removed: RemovedRows,
  destroyedKeys: number,
): Promise<void> {
  const mutation = {
    ...{ event: 'tenants.purged', target, idempotency: undefined, response: EmptySchema },
    validateOnly: false,
  }
  await directory.write(capabilities['platform-operations'], actor, mutation, async (unit) => {
    unit.note('uid', tenantId)
    unit.note('removed_rows', removed.total)
    unit.note('destroyed_keys', destroyedKeys)
    return create(EmptySchema)
  })
}
