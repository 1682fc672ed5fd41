import type { Rows } from '../tenancy/rows.ts'
import type { ReadScope } from '../tenancy/tenant-unit.ts'
import type { WorkspaceRow } from './workspace.ts'
import { WorkspaceTable } from './workspace-table.ts'

/** The workspaces of the scope's tenant. */
export function workspaceRows(scope: ReadScope): Rows<WorkspaceRow> {
  return scope.rows(WorkspaceTable)
}
