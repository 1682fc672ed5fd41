import type { Rows } from '../tenancy/rows.ts'
import type { ReadScope } from '../tenancy/tenant-unit.ts'
import type { RoleRow } from './role.ts'
import { RoleTable } from './role-table.ts'

/** The roles of the scope's tenant. */
export function roleRows(scope: ReadScope): Rows<RoleRow> {
  return scope.rows(RoleTable)
}
