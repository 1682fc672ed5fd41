import { openBook } from './audit-checkpoints.ts'
import type { Keys } from './keys.ts'
import type { Job } from './operations/job.ts'
import { type JobRunner, startJobRunner } from './operations/job-runner.ts'
import type { OperationHome } from './operations/operation-lease.ts'
import { operationRowsOf, platformOperationRows } from './operations/operation-store.ts'
import type { Platform } from './platform.ts'
import type { Runtime } from './server.ts'
import { cellTables } from './tables.ts'
import { eraseRows } from './tenancy/erasure.ts'
import type { Table } from './tenancy/pins.ts'
import { readCell, writeCell } from './tenancy/platform-scope.ts'
import type { PurgeParts } from './tenants/purge.ts'
import { purgeTenantJob } from './tenants/purge-tenant.ts'
import { purgeWorkspaceJob } from './tenants/purge-workspace.ts'
import { TenantHeadTable } from './tenants/tenant-table.ts'
import { WorkspaceTable } from './tenants/workspace-table.ts'

/** Does long operations, of the platform and of every tenant; disposing leaves what is not done to other servers. */
export function openJobs(platform: Platform, runtime: Runtime, { sealer }: Keys, more: readonly Job[]): JobRunner {
  const { storage, scopes, directory, capabilities, tenants } = platform
  const { clock, jitter, ids, log, metrics } = runtime
  const purge: PurgeParts = {
    ...{ scopes, directory, capabilities, tenants, sealer, clock, tables: purgedTables() },
    forgetCheckpoints: (tenantId) => openBook(platform).forget(tenantId),
    erase: (context, table, keepFeedId) => eraseRows(storage.cell, context, table, keepFeedId),
  }
  return startJobRunner({
    homes: operationHomes(platform),
    jobs: [purgeTenantJob(purge), purgeWorkspaceJob(purge), ...more],
    ...{ clock, jitter, log, holder: ids.next() },
    ended: metrics.operationEnded,
  })
}

export function operationHomes({ storage, directory, capabilities, codedRows }: Platform): OperationHome[] {
  const { codes } = codedRows
  const ofTenants = capabilities.operations
  const ofPlatform = capabilities['platform-operations']
  return [
    {
      read: (work) => readCell(storage.cell, ofTenants, (scope) => work(operationRowsOf(scope, undefined)), codes),
      write: (work, tenantId) =>
        writeCell(storage.cell, ofTenants, (scope) => work(operationRowsOf(scope, tenantId)), codes),
    },
    {
      read: (work) => directory.read(ofPlatform, (scope) => work(platformOperationRows(scope))),
      write: (work) => directory.writeUnlogged(ofPlatform, (scope) => work(platformOperationRows(scope))),
    },
  ]
}

/** Every table that holds rows of tenants, so that a new one cannot be forgotten. */
function purgedTables(): Table[] {
  const kept: readonly unknown[] = [TenantHeadTable, WorkspaceTable]
  return [...cellTables.filter((table) => !kept.includes(table)), WorkspaceTable as unknown as Table]
}
