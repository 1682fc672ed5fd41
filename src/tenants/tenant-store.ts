import type { PlatformReadScope } from '../tenancy/platform-scope.ts'
import type { Rows } from '../tenancy/rows.ts'
import type { ReadScope } from '../tenancy/tenant-unit.ts'
import type { TenantHeadRow } from './tenant.ts'
import { TenantHeadTable } from './tenant-table.ts'

/** The one head of the scope's tenant. */
export function headRows(scope: ReadScope): Rows<TenantHeadRow> {
  return scope.rows(TenantHeadTable)
}

/** Heads of every tenant of a cell. */
export function allHeads(scope: PlatformReadScope): Promise<TenantHeadRow[]> {
  return scope.rows(TenantHeadTable).all({})
}
