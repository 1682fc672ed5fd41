import type { EntityManager, EntitySchema, ObjectLiteral } from 'typeorm'
import { pinsOf } from './pins.ts'
import { createRows, type RowContent, type Rows } from './rows.ts'
import type { TenantContext } from './tenant-context.ts'
import type { UnitCodes } from './unit-codes.ts'

export interface TenantRowsOptions {
  /** Leaves the pin on the workspace out; the guard lets that pass only where the scope was opened for it. */
  readonly allWorkspaces: boolean
  readonly touched: (table: string, workspaceId: string, id: string, content: RowContent) => void
  readonly codes: UnitCodes
}

/** The rows of one tenant table that belong to the place of one context. */
export function tenantRows<Row extends ObjectLiteral>(
  manager: EntityManager,
  table: EntitySchema<Row>,
  context: TenantContext,
  { allWorkspaces, touched, codes }: TenantRowsOptions,
): Rows<Row> {
  const pins = pinsOf(table as EntitySchema)
  const ofWorkspace = pins.columns.length === 2
  const place = {
    tenantId: context.tenantId,
    ...(ofWorkspace && !allWorkspaces ? { workspaceId: context.workspaceId } : {}),
  }
  return createRows(manager, table, {
    place: place as unknown as Partial<Row>,
    idProperty: pins.idProperty,
    touched: (id, content) => touched(pins.table, ofWorkspace ? context.workspaceId : '', id, content),
    codes,
  })
}
