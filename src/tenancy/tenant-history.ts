import type { EntitySchema } from 'typeorm'
import { journalRows } from './journal-store.ts'
import { pinsOf } from './pins.ts'
import { readerContext } from './reader-context.ts'
import type { Scopes } from './scope.ts'
import type { ReadScope } from './tenant-unit.ts'

export interface ToldRow {
  readonly table: string
  readonly id: string
}

export interface HistoryDifferences {
  /** Rows that no event of the tenant's journal names. */
  readonly untold: readonly ToldRow[]
  /** Rows that it names and that are gone, though no event took them away. */
  readonly missing: readonly ToldRow[]
}

/** Compares what a tenant has with what its journal tells. */
export interface TenantHistories {
  /** No differences in a tenant that is no more: a purge takes its journal first. */
  compare(
    tenantId: string,
    tables: readonly EntitySchema[],
    checked: (count: number) => void,
  ): Promise<HistoryDifferences>
}

const pageSize = 1_000

export interface TenantHistoriesParts {
  readonly scopes: Scopes
  /** Whether the scope's tenant is there, and no purge has begun. */
  readonly isLiving: (scope: ReadScope) => Promise<boolean>
  /** Whether an event takes rows of that table away: what it touched last may be gone. */
  readonly takesAway: (event: string, table: string) => boolean
}

export function createTenantHistories({ scopes, isLiving, takesAway }: TenantHistoriesParts): TenantHistories {
  return {
    async compare(tenantId, tables, checked) {
      return scopes.readAllWorkspaces(readerContext(tenantId), 'isolation-survey', async (scope) => {
        // In the same snapshot: what is read beside it is of that moment.
        if (!(await isLiving(scope))) return { untold: [], missing: [] }
        const told = await toldIn(scope, takesAway)
        const untold: ToldRow[] = []
        for (const table of tables) {
          const { table: name, idProperty } = pinsOf(table)
          const ids = await idsOf(scope, table, idProperty)
          checked(ids.length)
          for (const id of ids) if (!told.delete(id)) untold.push({ table: name, id })
        }
        const compared = new Set(tables.map((table) => pinsOf(table).table))
        const gone = [...told].filter(([, { table, mayBeGone }]) => !mayBeGone && compared.has(table))
        return { untold, missing: gone.map(([id, { table }]) => ({ table, id })) }
      })
    },
  }
}

/** Of a row, what the last event says that touched it. */
interface Told {
  readonly table: string
  readonly mayBeGone: boolean
}

/** By id: ids are never given twice, whatever the table. */
async function toldIn(scope: ReadScope, takesAway: TenantHistoriesParts['takesAway']): Promise<Map<string, Told>> {
  const told = new Map<string, Told>()
  for (let after = 0, more = true; more; ) {
    const rows = await journalRows(scope).page({
      conditions: [{ sql: 'row.feedId > :after', parameters: { after } }],
      orderBy: [{ property: 'feedId', descending: false }],
      limit: pageSize,
      without: ['record', 'answer', 'requestHash', 'idempotencyKey', 'hash'],
    })
    for (const { event, changes } of rows) {
      for (const [table, , id] of changes ?? []) told.set(id, { table, mayBeGone: takesAway(event, table) })
    }
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
