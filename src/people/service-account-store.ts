import type { PlatformReadScope } from '../tenancy/platform-scope.ts'
import type { Rows } from '../tenancy/rows.ts'
import type { ReadScope } from '../tenancy/tenant-unit.ts'
import type { PlatformServiceAccountRow, ServiceAccountRow } from './service-account.ts'
import { PlatformServiceAccountTable, ServiceAccountTable } from './service-account-table.ts'

/** The service accounts of the scope's tenant. */
export function serviceAccountRows(scope: ReadScope): Rows<ServiceAccountRow> {
  return scope.rows(ServiceAccountTable)
}

export function platformServiceAccountRows(scope: PlatformReadScope): Rows<PlatformServiceAccountRow> {
  return scope.rows(PlatformServiceAccountTable)
}
