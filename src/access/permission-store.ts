import type { PlatformReadScope } from '../tenancy/platform-scope.ts'
import type { Rows } from '../tenancy/rows.ts'
import type { PermissionRow } from './permission.ts'
import { PermissionTable } from './permission-table.ts'

/** The catalogue of the platform. */
export function permissionRows(scope: PlatformReadScope): Rows<PermissionRow> {
  return scope.rows(PermissionTable)
}
