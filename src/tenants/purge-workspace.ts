import { create } from '@bufbuild/protobuf'
import { EmptySchema } from '@bufbuild/protobuf/wkt'
import type { Job, JobAnswer, JobRun, Progress } from '../operations/job.ts'
import type { OperationRow } from '../operations/operation.ts'
import { jobContext } from '../tenancy/job-context.ts'
import { pinsOf, type Table } from '../tenancy/pins.ts'
import { readerContext } from '../tenancy/reader-context.ts'
import { retireName } from '../tenancy/retired-names.ts'
import type { TenantContext } from '../tenancy/tenant-context.ts'
import type { Unit } from '../tenancy/tenant-unit.ts'
import { assertPurgeStands, destroyKey, genuineRow, type PurgeParts, purged, RemovedRows, textNote } from './purge.ts'
import { headRows } from './tenant-store.ts'
import { workspaceNames } from './workspace.ts'
import { workspaceRows } from './workspace-store.ts'

export const purgeWorkspaceKind = 'workspaces.purge'

/** Rows of one unit of work: every change log names its rows, so that no server keeps one in memory. */
const rowsPerUnit = 200

interface Places {
  readonly tenant: TenantContext
  readonly workspace: TenantContext
}

/**
 * Removes a workspace: first the fence, from which on there is no way back and nobody finds it; then its key; then its
 * rows; last its own row, whose name is retired in the same unit. The tenant's audit events about it stay: its chain would
 * not verify without them.
 */
export function purgeWorkspaceJob(parts: PurgeParts): Job {
  const tables = parts.tables.filter((table) => pinsOf(table).columns.includes('workspace_id'))
  return {
    kind: purgeWorkspaceKind,
    untilDone: true,
    async run(run) {
      const { operation } = run
      const workspaceId = textNote(operation.input, 'workspaceId')
      const places = await placesOf(parts, run, workspaceId)
      const removed = new RemovedRows(operation.checkpoint)
      const end = async (destroyedKeys: number): Promise<JobAnswer> => {
        await run.progress(purged(tables.length))
        return removed.receipt(operation, workspaceId, parts.clock.nowMs(), destroyedKeys)
      }
      const row = await parts.scopes.read(places.tenant, (scope) => genuineRow(workspaceRows(scope), { workspaceId }))
      // Its row goes last: where there is none, everything is done, and nobody's key is destroyed for a row taken away by hand.
      if (row === undefined) return end(Number(operation.checkpoint.destroyedKeys ?? 0))
      if (row.state !== 'PURGED') {
        await run.stopIfCancelled()
        await write(parts, places.tenant, operation.target, (unit) => raiseFence(unit, workspaceId, operation))
      }
      await run.progress({ phase: 'keys', done: 0, total: 1, message: 'Destroying the key.' })
      const destroyedKeys = (await destroyKey(parts.sealer, workspaceId)) ? 1 : 0
      for (const [at, table] of tables.entries()) {
        const message = `Removing ${table.options.name}.`
        const report = { phase: 'rows', done: at, total: tables.length, message, checkpoint: { destroyedKeys } }
        await removeAll(parts, places.workspace, run, table, removed, report)
      }
      let wasThere = false
      await write(parts, places.tenant, operation.target, async (unit) => {
        const row = await workspaceRows(unit).find({ workspaceId })
        wasThere = row !== undefined
        if (row === undefined) return
        await workspaceRows(unit).delete(workspaceId)
        await retireName(unit, workspaceNames, row.slug)
      })
      // Outside the unit, which may have been run more than once.
      if (wasThere) removed.add('workspaces', 1)
      return end(destroyedKeys)
    },
  }
}

async function placesOf(parts: PurgeParts, { operation }: JobRun, workspaceId: string): Promise<Places> {
  const place = {
    tenantId: operation.tenantId,
    tenantSlug: textNote(operation.input, 'tenantSlug'),
    actor: operation.actor,
  }
  const { operations } = parts.capabilities
  const head = await parts.scopes.read(readerContext(place.tenantId), (scope) => headRows(scope).find({}))
  const workspace = { workspaceId, slug: textNote(operation.input, 'slug') }
  return {
    tenant: jobContext(operations, place, head),
    workspace: jobContext(operations, { ...place, workspace }, head),
  }
}

async function raiseFence(unit: Unit, workspaceId: string, operation: OperationRow): Promise<void> {
  const row = await genuineRow(workspaceRows(unit), { workspaceId })
  // By whoever had the operation before, a moment ago.
  if (row === undefined || row.state === 'PURGED') return
  assertPurgeStands('workspace', row, operation)
  const empty = { displayName: '', labels: {} }
  await workspaceRows(unit).update(workspaceId, {
    ...{ state: 'PURGED', ...empty, version: row.version + 1, updateTime: unit.now },
  })
}

async function removeAll(
  parts: PurgeParts,
  context: TenantContext,
  run: JobRun,
  table: Table,
  removed: RemovedRows,
  report: Progress,
): Promise<void> {
  const { idProperty, table: name } = pinsOf(table)
  for (let more = true; more; ) {
    await run.progress({ ...report, checkpoint: { ...report.checkpoint, ...removed.notes() } })
    const found = await parts.scopes.read(context, (scope) => scope.rows(table).list({}, rowsPerUnit))
    if (found.length === 0) return
    const ids = new Set(found.map((row) => String(row[idProperty])))
    await write(parts, context, run.operation.target, async (unit) => {
      for (const id of ids) await unit.rows(table).delete(id)
    })
    removed.add(name, found.length)
    more = found.length === rowsPerUnit
  }
}

/** One unit of authority in the name of whoever asked. */
async function write(
  { scopes }: PurgeParts,
  context: TenantContext,
  target: string,
  work: (unit: Unit) => Promise<void>,
): Promise<void> {
  const mutation = {
    ...{ event: purgeWorkspaceKind, target, idempotency: undefined, response: EmptySchema },
    ...{ validateOnly: false, onDeletedTenant: true },
  }
  await scopes.write(context, mutation, async (unit) => {
    await work(unit)
    return create(EmptySchema)
  })
}
