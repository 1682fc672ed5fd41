import type { EntityManager, EntitySchema } from 'typeorm'
import { nilUuid } from '../base/ids.ts'
import type { Database } from '../storage/database.ts'
import { pinsOf } from './pins.ts'
import { assertOutsidePlaces } from './place-check.ts'
import { type PlatformCapability, platformBindingOf } from './platform-capability.ts'

/** A row that stands where it must not. */
export interface StrayRow {
  readonly tenantId: string
  /** Of the row; empty where many of one tenant are meant. */
  readonly id: string
}

/** That a column of one table holds the id of a row of another, of the same tenant, and where both have it of the same workspace. */
export interface Reference {
  readonly from: string
  readonly column: string
  readonly to: string
  readonly target: string
  readonly sameWorkspace: boolean
  /** Only of rows whose columns have these values. */
  readonly when: readonly { readonly column: string; readonly value: string }[]
}

export interface BrokenReference extends StrayRow {
  /** Another tenant that has what is referred to; empty: nobody has. */
  readonly heldBy: string
}

/** Uids from the first up to the second, that one left out, whether or not tenants of them are there. */
export interface TenantSlice {
  readonly from: string
  readonly to: string
}

/** Looks over the rows of every tenant, in SQL of its own, so that no store's mistake hides what it has done. */
export interface RowSurvey {
  /** All uids there can be, a number of tenants at a time: no statement has to read a whole table. */
  slices(): AsyncIterable<TenantSlice>
  count(table: EntitySchema, slice: TenantSlice): Promise<number>
  /** Tenants that rows name and that are not there, or are no more. */
  tenantless(table: EntitySchema, slice: TenantSlice): Promise<StrayRow[]>
  /** Rows of no workspace of their tenant. `tenantLevel`: whether rows of the tenant itself are among them. */
  workspaceless(table: EntitySchema, slice: TenantSlice, tenantLevel: boolean): Promise<StrayRow[]>
  broken(reference: Reference, slice: TenantSlice): Promise<BrokenReference[]>
}

/** Beyond so many of one kind it is one incident. */
const limit = 100
/** Looked for in other tenants: without an index, over the whole table. */
const maxSearched = 10
const defaultTenantsPerSlice = 1_000
/** Behind every uid, and whatever somebody else may have put in the place of one. */
const behindAll = '~'

export function createRowSurvey(
  cell: Database,
  capability: PlatformCapability<'isolation-survey'>,
  tenantsPerSlice = defaultTenantsPerSlice,
): RowSurvey {
  const query = (sql: string, params: readonly string[]): Promise<Record<string, unknown>[]> => {
    assertOutsidePlaces()
    return cell.read(platformBindingOf(capability), (manager: EntityManager) => manager.query(sql, [...params]))
  }
  return {
    slices: () => slicesOf(query, tenantsPerSlice),
    async count(table, slice) {
      const [row] = await query(
        `SELECT COUNT(*) AS n FROM ${pinsOf(table).table} stray WHERE ${inSlice('stray')}`,
        bounds(slice),
      )
      return Number(row?.n ?? 0)
    },
    tenantless: (table, slice) => tenantless(query, pinsOf(table).table, slice),
    async workspaceless(table, slice, tenantLevel) {
      const { table: name } = pinsOf(table)
      const rows = await query(
        `SELECT stray.tenant_id, stray.workspace_id FROM ${name} stray LEFT JOIN workspaces home
          ON home.tenant_id = stray.tenant_id AND home.workspace_id = stray.workspace_id
          WHERE home.workspace_id IS NULL AND ${inSlice('stray')} AND stray.workspace_id <> ?
          GROUP BY stray.tenant_id, stray.workspace_id LIMIT ${limit}`,
        [...bounds(slice), tenantLevel ? nilUuid : ''],
      )
      return rows.map((row) => ({ tenantId: String(row.tenant_id), id: String(row.workspace_id) }))
    },
    broken: (reference, slice) => broken(query, reference, slice),
  }
}

type Query = (sql: string, params: readonly string[]) => Promise<Record<string, unknown>[]>

async function* slicesOf(query: Query, tenants: number): AsyncGenerator<TenantSlice> {
  for (let from = ''; from !== behindAll; ) {
    const heads = await query(
      `SELECT tenant_id FROM tenant_heads WHERE tenant_id >= ? ORDER BY tenant_id LIMIT ${tenants + 1}`,
      [from],
    )
    const to = String(heads[tenants]?.tenant_id ?? behindAll)
    yield { from, to }
    from = to
  }
}

function inSlice(alias: string): string {
  return `${alias}.tenant_id >= ? AND ${alias}.tenant_id < ?`
}

function bounds({ from, to }: TenantSlice): [string, string] {
  return [from, to]
}

async function tenantless(query: Query, name: string, slice: TenantSlice): Promise<StrayRow[]> {
  const unknown = await query(
    `SELECT stray.tenant_id FROM ${name} stray LEFT JOIN tenant_heads head ON head.tenant_id = stray.tenant_id
      WHERE head.tenant_id IS NULL AND ${inSlice('stray')} GROUP BY stray.tenant_id LIMIT ${limit}`,
    bounds(slice),
  )
  // Of a tombstone one line of the journal stays.
  const purged =
    name === 'journal' || name === 'tenant_heads'
      ? []
      : await query(
          `SELECT stray.tenant_id FROM ${name} stray INNER JOIN tenant_heads head ON head.tenant_id = stray.tenant_id
            WHERE head.state = ? AND ${inSlice('stray')} GROUP BY stray.tenant_id LIMIT ${limit}`,
          ['PURGED', ...bounds(slice)],
        )
  return [...unknown, ...purged].map((row) => ({ tenantId: String(row.tenant_id), id: '' }))
}

async function broken(query: Query, reference: Reference, slice: TenantSlice) {
  const { from, column, to, target, sameWorkspace, when } = reference
  const workspace = sameWorkspace ? 'AND held.workspace_id = holder.workspace_id' : ''
  const only = when.map(({ column: each }) => `AND holder.${each} = ?`).join(' ')
  const rows = await query(
    `SELECT holder.tenant_id, holder.${column} AS target FROM ${from} holder LEFT JOIN ${to} held
      ON held.tenant_id = holder.tenant_id ${workspace} AND held.${target} = holder.${column}
      WHERE held.${target} IS NULL AND ${inSlice('holder')} ${only} GROUP BY holder.tenant_id, holder.${column} LIMIT ${limit}`,
    [...bounds(slice), ...when.map(({ value }) => value)],
  )
  const found: BrokenReference[] = []
  for (const [at, row] of rows.entries()) {
    const id = String(row.target)
    const elsewhere =
      at < maxSearched ? await query(`SELECT tenant_id FROM ${to} WHERE ${target} = ? LIMIT 1`, [id]) : []
    const heldBy = String(elsewhere[0]?.tenant_id ?? '')
    found.push({ tenantId: String(row.tenant_id), id, heldBy: heldBy === String(row.tenant_id) ? '' : heldBy })
  }
  return found
}
