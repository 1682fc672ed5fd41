import { pinsOf, type Table } from '../../tenancy/pins.ts'
import type { TenantHistories } from '../../tenancy/tenant-history.ts'
import type { Probe } from './probe.ts'
import { type Sampled, sampleOf } from './sample.ts'

/**
 * Whether a tenant has the rows its journal tells of, and no others: what was moved here by hand, or written past Tenure, is
 * told of by nobody; what was deleted past Tenure, or moved away, is told of and gone. Reads a sample of the tenants whole.
 */
export function historyProbe(histories: TenantHistories, tables: readonly Table[], sample: Sampled): Probe {
  return {
    name: 'history',
    async look({ checked, found, pause }) {
      for (const tenantId of await sampleOf(sample)) {
        await pause()
        const { untold, missing } = await histories.compare(tenantId, tables, checked)
        for (const { table, id } of untold) {
          const description = `The row ${id} of ${table} is in the journal of another tenant, or in none.`
          found({ kind: 'row-without-history', tenantUid: tenantId, subject: `${table} ${id}`, description })
        }
        for (const { table, id } of missing) {
          const description = `The row ${id} of ${table} is gone, and no event took it away.`
          found({ kind: 'missing-row', tenantUid: tenantId, subject: `${table} ${id}`, description })
        }
      }
    },
  }
}

/**
 * What takes rows away, and of which tables. A key goes for good only where it was forged; that it was revoked is in the
 * journal as well, so one that is gone after that is not missed.
 */
const removals: Readonly<Record<string, readonly string[]>> = {
  'users.delete': ['users', 'memberships'],
  'serviceAccounts.delete': ['service_accounts', 'memberships'],
  'memberships.delete': ['memberships'],
  'roles.delete': ['roles'],
  'apiKeys.revoke': ['api_keys'],
  'secrets.delete': ['secrets', 'secret_versions'],
}
/** Takes away everything that is in the workspace, and the workspace. */
const workspacePurge = 'workspaces.purge'

export function takesAway(event: string, table: string): boolean {
  return event === workspacePurge || removals[event]?.includes(table) === true
}

/** Tables whose every row is told of when it is written. */
export function toldOf(tables: readonly Table[]): Table[] {
  const untold = new Set(['tenant_heads', 'journal', 'audit_chains', 'retired_names', 'operations'])
  return tables.filter((table) => !untold.has(pinsOf(table).table))
}
