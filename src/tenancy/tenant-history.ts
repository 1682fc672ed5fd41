import type { EntitySchema } from 'typeorm'
import { journalRows } from './journal-store.ts'
import { pinsOf } from './pins.ts'
import { readerContext } from './reader-context.ts'
import type { Scopes } from './scope.ts'
import type { ReadScope } from './tenant-unit.ts'

export interface UntoldRow {
  readonly table: string
  readonly id: string
}

/** Compares what a tenant has with what its journal tells. */
export interface TenantHistories {
  /** Rows that no event of the tenant's journal names. Empty for a tenant whose journal does not reach back to its beginning. */
  untold(
    tenantId: string,
    tables: readonly EntitySchema[],
    checked: (count: number) => void,
  ): Promise<readonly UntoldRow[]>
}

const pageSize = 1_000

export function createTenantHistories(scopes: Scopes): TenantHistories {
  return {
    async untold(tenantId, tables, checked) {
      return scopes.readAllWorkspaces(readerContext(tenantId), 'isolation-survey', async (scope) => {
        const told = await toldIn(scope)
        const untold: UntoldRow[] = []
        for (const table of tables) {
          const { table: name, idProperty } = pinsOf(table)
          const ids = await idsOf(scope, table, idProperty)
          checked(ids.length)
          for (const id of ids) if (!told.has(id)) untold.push({ table: name, id })
        }
        return untold
      })
    },
  }
}

/** Ids are never given twice, whatever the table. */
async function toldIn(scope: ReadScope): Promise<ReadonlySet<string>> {
  const told = new Set<string>()
  for (let after = 0, more = true; more; ) {
    const rows = await journalRows(scope).page({
      conditions: [{ sql: 'row.feedId > :after', parameters: { after } }],
      orderBy: [{ property: 'feedId', descending: false }],
      limit: pageSize,
      without: ['record', 'answer', 'requestHash', 'idempotencyKey', 'hash'],
    })
    for (const { changes } of rows) for (const [, , id] of changes ?? []) told.add(id)
    after = rows.at(-1)?.feedId ?? after
    more = rows.length === pageSize
  }
  return told
}

async function idsOf(scope: ReadScope, table: EntitySchema, idProperty: string): Promise<string[]> {
  // Rows are told apart by their primary key, so that is read whole.
  const columns = Object.entries(table.options.columns)
  const others = columns
    .filter(([, column]) => (column as { primary?: boolean }).primary !== true)
    .map(([name]) => name)
  const ids: string[] = []
  for (let after = '', more = true; more; ) {
    const rows = await scope.rows(table).page({
      conditions: [{ sql: `row.${idProperty} > :after`, parameters: { after } }],
      orderBy: [{ property: idProperty, descending: false }],
      limit: pageSize,
      without: others,
    })
    for (const row of rows) ids.push(String(row[idProperty]))
    after = ids.at(-1) ?? after
    more = rows.length === pageSize
  }
  return ids
}
