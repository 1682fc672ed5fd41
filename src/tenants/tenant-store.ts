import type { PlatformReadScope } from '../tenancy/platform-scope.ts'
import type { Rows } from '../tenancy/rows.ts'
import type { ReadScope } from '../tenancy/tenant-unit.ts'
import type { TenantHeadRow } from './tenant.ts'
import { TenantHeadTable } from './tenant-table.ts'

/** The one head of the scope's tenant. */
export function headRows(scope: ReadScope): Rows<TenantHeadRow> {
  return scope.rows(TenantHeadTable)
}

/** Whether the scope's tenant is there, and no purge has begun. */
export async function isLiving(scope: ReadScope): Promise<boolean> {
  const head = await headRows(scope).find({})
  return head !== undefined && head.state !== 'PURGED'
}

/** Heads of every tenant of a cell. */
export function allHeads(scope: PlatformReadScope): Promise<TenantHeadRow[]> {
  return scope.rows(TenantHeadTable).all({})
}
