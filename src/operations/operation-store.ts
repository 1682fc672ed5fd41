import { isDeepStrictEqual } from 'node:util'
import { platformTenantId } from '../base/ids.ts'
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
  return scope.rows(PlatformOperationTable, { tenantId: platformTenantId })
}

/** Those of that tenant, or of every tenant: for servers that look for what nobody holds. */
export function operationRowsOf(scope: PlatformReadScope, tenantId: string | undefined): Rows<OperationRow> {
  return scope.rows(OperationTable, tenantId === undefined ? {} : { tenantId })
}

/** Makes one, in the unit that decides it; one that is open already, asked for with the same, is answered instead. */
export async function beginOperation(unit: Unit | PlatformUnit, asked: NewOperation): Promise<OperationRow> {
  const rows = 'context' in unit ? operationRows(unit) : platformOperationRows(unit)
  const allOpen = await rows.allGenuine({ kind: asked.kind, target: asked.target, state: 'OPEN' })
  const open = allOpen.find(({ input }) => isDeepStrictEqual(input, asked.input))
  unit.note('operation', open?.operationId ?? asked.operationId)
  if (open !== undefined) return open
  const row = newOperation(asked)
  await rows.insert(row)
  return row
}
