import type { Directory, PlatformUnit } from '../tenancy/directory.ts'
import type { PlatformCapabilities } from '../tenancy/platform-capability.ts'
import type { PlatformReadScope } from '../tenancy/platform-scope.ts'
import type { Rows } from '../tenancy/rows.ts'
import type { Scopes } from '../tenancy/scope.ts'
import type { ReadScope, Unit } from '../tenancy/tenant-unit.ts'
import { type NewOperation, newOperation, type OperationRow } from './operation.ts'
import { OperationTable, PlatformOperationTable } from './operation-table.ts'

/** The two homes of operations: a tenant, and the platform. */
export interface OperationHomes {
  readonly scopes: Scopes
  readonly directory: Directory
  readonly capabilities: PlatformCapabilities
}

/** The operations of the scope's tenant. */
export function operationRows(scope: ReadScope): Rows<OperationRow> {
  return scope.rows(OperationTable)
}

/** The operations of the platform. */
export function platformOperationRows(scope: PlatformReadScope): Rows<OperationRow> {
  return scope.rows(PlatformOperationTable)
}

/** Those of every tenant: for servers that look for what nobody holds. */
export function operationRowsOfAll(scope: PlatformReadScope): Rows<OperationRow> {
  return scope.rows(OperationTable)
}

/** Makes one, in the unit that decides it; one for the same that is open already is answered instead. */
export async function beginOperation(unit: Unit | PlatformUnit, asked: NewOperation): Promise<OperationRow> {
  const rows = 'context' in unit ? operationRows(unit) : platformOperationRows(unit)
  const [open] = await rows.allGenuine({ kind: asked.kind, target: asked.target, state: 'OPEN' })
  unit.note('operation', open?.operationId ?? asked.operationId)
  if (open !== undefined) return open
  const row = newOperation(asked)
  await rows.insert(row)
  return row
}
