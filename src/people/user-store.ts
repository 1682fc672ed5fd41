import type { Rows } from '../tenancy/rows.ts'
import type { ReadScope, Unit } from '../tenancy/tenant-unit.ts'
import type { UserRow } from './user.ts'
import { UserTable } from './user-table.ts'

/** The users of the scope's tenant. */
export function userRows(scope: ReadScope | Unit): Rows<UserRow> {
  return scope.rows(UserTable)
}
