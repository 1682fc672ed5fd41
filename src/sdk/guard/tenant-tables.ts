import type { GuardedTables } from '../../sql-guard/guard-types.ts'
import { isGivenName, isStoredName } from '../../sql-guard/syntax-node.ts'

/** How rows of one table are owned. */
export interface TenantTable {
  /** The column that holds the tenant's uid. */
  readonly tenant: string
  /** The column that holds the workspace's uid, where rows belong to one. */
  readonly workspace?: string
  /**
   * Every unique key of the table begins with these columns. Only then may MySQL's `ON DUPLICATE KEY UPDATE` name it: it
   * takes whichever unique key meets a row first, and could update a row of somebody else.
   */
  readonly upserts?: boolean
}

/** By the name of the table. */
export type TenantTables = Readonly<Record<string, TenantTable>>

/** What one statement may touch where no tenant is at work. */
export const outsidePurpose = 'outside'

/** The lists a service gives, as the guard reads them. Throws a TypeError that says which entry is wrong. */
export function guardedTablesFrom(tables: TenantTables, sharedTables: readonly string[]): GuardedTables {
  const tenantTables = new Map<string, readonly string[]>()
  for (const [name, table] of Object.entries(tables)) tenantTables.set(tableName(name), keyColumnsOf(name, table))
  for (const name of sharedTables) {
    // A table cannot be both: whichever came last would decide whether it is guarded.
    if (tenantTables.has(name)) throw new TypeError(`the table ${name} is listed twice: it is shared or it has keys`)
    tenantTables.set(tableName(name), [])
  }
  const ambiguous = Object.entries(tables).filter(([, { upserts }]) => upserts !== true)
  return {
    tenantTables,
    mixedCaseColumns: true,
    sharedKeys: new Set(ambiguous.map(([name]) => name)),
    platformTables: new Map([[outsidePurpose, new Map(sharedTables.map((name) => [name, 'write'] as const))]]),
  }
}

function keyColumnsOf(name: string, table: unknown): readonly string[] {
  if (typeof table !== 'object' || table === null) throw new TypeError(`the table ${name} has to name its key columns`)
  const { tenant, workspace } = table as Readonly<Record<string, unknown>>
  const keys = workspace === undefined ? [tenant] : [tenant, workspace]
  for (const key of keys) {
    if (typeof key !== 'string' || !isGivenName(key)) {
      throw new TypeError(`the table ${name} has to name its key columns: tenant, and perhaps workspace`)
    }
  }
  if (new Set(keys.map((key) => String(key).toLowerCase())).size < keys.length) {
    throw new TypeError(`the table ${name} names one column for tenant and workspace`)
  }
  return keys as readonly string[]
}

function tableName(name: string): string {
  if (typeof name !== 'string' || !isStoredName(name)) {
    throw new TypeError(`${JSON.stringify(name)} is no table the guard can know: lower case, digits, underscores`)
  }
  return name
}
