import type { EntitySchema, EntitySchemaColumnOptions } from 'typeorm'
import type { PinColumn } from '../sql-guard/guard-types.ts'

/** A table of a cell, for those who hand tables on and look no deeper. */
export type Table = EntitySchema

/** The columns that pin a row to its tenant, and where the row belongs to a workspace to that too. */
export interface Pins {
  readonly table: string
  readonly columns: readonly PinColumn[]
  /** The property that tells rows of one place apart. */
  readonly idProperty: string
}

interface WithColumns {
  readonly options: { readonly columns: object }
}

/** The properties of the primary key, in their order. */
export function keyPropertiesOf(table: WithColumns): string[] {
  return keysOf(table).map(({ property }) => property)
}

function keysOf({ options }: WithColumns): { readonly property: string; readonly column: string }[] {
  return Object.entries(options.columns as Record<string, EntitySchemaColumnOptions>)
    .filter(([, { primary }]) => primary === true)
    .map(([property, { name }]) => ({ property, column: name ?? property }))
}

/**
 * Read off the primary key, so that there is one statement of who owns a row: every key of a tenant table begins with
 * tenant_id, that of a workspace's table with tenant_id, workspace_id; the next column is the row's own id.
 */
export function pinsOf(table: EntitySchema): Pins {
  const { name, tableName } = table.options
  const keys = keysOf(table)
  // The journal is ordered over its whole cell, so its primary key is the feed id; its events are pinned all the same.
  if (keys[0]?.column === 'feed_id') return { table: tableName ?? name, columns: ['tenant_id'], idProperty: 'eventId' }
  const first = keys[0]
  const second = keys[1]
  if (first?.column !== 'tenant_id') throw new Error(`the primary key of ${name} must begin with tenant_id`)
  // The head: one row a tenant.
  if (second === undefined) return { table: tableName ?? name, columns: ['tenant_id'], idProperty: first.property }
  const third = keys[2]
  const ofWorkspace = second.column === 'workspace_id' && third !== undefined
  return {
    table: tableName ?? name,
    columns: ofWorkspace ? ['tenant_id', 'workspace_id'] : ['tenant_id'],
    idProperty: ofWorkspace && third !== undefined ? third.property : second.property,
  }
}
