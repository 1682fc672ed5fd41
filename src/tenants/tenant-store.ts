import type { Rows } from '../tenancy/rows.ts'
import type { ReadScope } from '../tenancy/scope.ts'
import type { TenantHeadRow } from './tenant.ts'
import { TenantHeadTable } from './tenant-table.ts'

/** The one head of the scope's tenant. */
export function headRows(scope: ReadScope): Rows<TenantHeadRow> {
  return scope.rows(TenantHeadTable)
}
