import type { EntityManager } from 'typeorm'
import { createRows, type Rows } from '../tenancy/rows.ts'
import type { ReadScope } from '../tenancy/scope.ts'
import type { TenantHeadRow } from './tenant.ts'
import { TenantHeadTable } from './tenant-table.ts'

/** The one head of the scope's tenant. */
export function headRows(scope: ReadScope): Rows<TenantHeadRow> {
  return scope.rows(TenantHeadTable)
}

/** Heads of every tenant of a cell, read with a platform capability. */
export function allHeads(manager: EntityManager): Promise<TenantHeadRow[]> {
  return createRows(manager, TenantHeadTable, { place: {}, idProperty: 'tenantId', touched: () => undefined }).list(
    {},
    10_000_000,
  )
}
