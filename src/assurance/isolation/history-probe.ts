import { pinsOf, type Table } from '../../tenancy/pins.ts'
import type { TenantHistories } from '../../tenancy/tenant-history.ts'
import type { Probe } from './probe.ts'
import { type Sampled, sampleOf } from './sample.ts'

/**
 * Whether the journal of a tenant tells of every row it has: one that was moved here by hand, or written past Tenure, is
 * told of by nobody. Reads a sample of the tenants whole.
 */
export function historyProbe(histories: TenantHistories, tables: readonly Table[], sample: Sampled): Probe {
  return {
    name: 'history',
    async look({ checked, found, pause }) {
      for (const tenantId of await sampleOf(sample)) {
        await pause()
        for (const { table, id } of await histories.untold(tenantId, tables, checked)) {
          const description = `The row ${id} of ${table} is in the journal of another tenant, or in none.`
          found({ kind: 'row-without-history', tenantUid: tenantId, subject: `${table} ${id}`, description })
        }
      }
    },
  }
}

/** Tables whose every row is told of when it is written. */
export function toldOf(tables: readonly Table[]): Table[] {
  const untold = new Set(['tenant_heads', 'journal', 'audit_chains', 'retired_names', 'operations'])
  return tables.filter((table) => !untold.has(pinsOf(table).table))
}
