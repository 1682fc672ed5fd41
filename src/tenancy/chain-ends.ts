import type { EntityManager } from 'typeorm'
import { platformTenantId } from '../base/ids.ts'
import type { Database } from '../storage/database.ts'
import { authorityChain } from './audit-chain.ts'
import { cellLedger, directoryLedger, type Ledger } from './ledger.ts'
import { assertOutsidePlaces } from './place-check.ts'
import { type PlatformCapability, platformBindingOf } from './platform-capability.ts'

/** One chain of a tenant; of the platform under the nil UUID. */
export interface ChainPlace {
  readonly tenantId: string
  readonly chain: string
}

export interface ChainPoint extends ChainPlace {
  readonly sequence: number
}

/** Where a chain is, as its tenant's head and its own row say. */
export interface ChainNow extends ChainPoint {
  /** Empty for the platform. */
  readonly tenantSlug: string
  /** Empty for the platform. */
  readonly tenantState: string
  readonly timelineId: string
  readonly chainHash: Uint8Array
}

/** Looks at the ends of chains over all tenants, in one snapshot of their database each time. */
export interface ChainEnds {
  /** In the order asked; undefined: there is no such chain. */
  now(places: readonly ChainPlace[]): Promise<(ChainNow | undefined)[]>
  /** The hashes the journal has there, in the order asked; undefined: no event is there. */
  hashesAt(points: readonly ChainPoint[]): Promise<(Uint8Array | undefined)[]>
  /** Every chain of the next tenants in the order of their uids, the platform's first. `last` undefined: there are no more. */
  page(afterTenantId: string): Promise<{ readonly chains: ChainNow[]; readonly last: string | undefined }>
}

/** Asked for in one statement, always of the same text: padded with the first, so that each is judged and prepared once. */
const placesPerStatement = 16
const tenantsPerPage = 500

type Row = Record<string, unknown>
type Query = (sql: string, params: unknown[]) => Promise<Row[]>

export function createChainEnds(
  directory: Database,
  cell: Database,
  capability: PlatformCapability<'audit-checkpoints'>,
): ChainEnds {
  const inLedger = <T>(ledger: Ledger, work: (query: Query) => Promise<T>): Promise<T> => {
    assertOutsidePlaces()
    const database = ledger === directoryLedger ? directory : cell
    return database.read(platformBindingOf(capability), (manager: EntityManager) =>
      work((sql, params) => manager.query(sql, params)),
    )
  }
  /** Asks each ledger for its own of them and puts the answers into the order asked. */
  const inBoth = async <Place extends ChainPlace, T>(
    places: readonly Place[],
    ask: (ledger: Ledger, query: Query, places: readonly Place[]) => Promise<ReadonlyMap<string, T>>,
  ): Promise<(T | undefined)[]> => {
    const found = new Map<string, T>()
    for (const ledger of [directoryLedger, cellLedger]) {
      const own = places.filter(({ tenantId }) => (tenantId === platformTenantId) === (ledger === directoryLedger))
      if (own.length === 0) continue
      for (const [key, value] of await inLedger(ledger, (query) => ask(ledger, query, own))) found.set(key, value)
    }
    return places.map((place) => found.get(keyOf(place)))
  }
  return {
    now: (places) => inBoth(places, endsNow),
    hashesAt: (points) => inBoth(points, journalHashes),
    async page(afterTenantId) {
      if (afterTenantId === '') {
        const chains = await inLedger(directoryLedger, (query) => chainsOf(directoryLedger, query, [platformTenantId]))
        return { chains, last: platformTenantId }
      }
      return inLedger(cellLedger, async (query) => {
        const heads = await query(
          `SELECT tenant_id FROM tenant_heads WHERE tenant_id > ? ORDER BY tenant_id LIMIT ${tenantsPerPage}`,
          [afterTenantId],
        )
        const tenantIds = heads.map((row) => String(row.tenant_id))
        return { chains: await chainsOf(cellLedger, query, tenantIds), last: tenantIds.at(-1) }
      })
    },
  }
}

export function keyOf({ tenantId, chain }: ChainPlace): string {
  return `${tenantId}/${chain}`
}

/** In blocks of one size, the last of them filled up. */
export function* blocksOf<T>(items: readonly T[]): Generator<T[]> {
  for (let at = 0; at < items.length; at += placesPerStatement) {
    yield Array.from({ length: placesPerStatement }, (_, index) => (items[at + index] ?? items[at]) as T)
  }
}

/** The condition that picks such places, and what it binds is each place's own columns in this order. */
export function anyOf(columns: readonly string[]): string {
  const one = `(${columns.map((column) => `${column} = ?`).join(' AND ')})`
  return Array.from({ length: placesPerStatement }, () => one).join(' OR ')
}

const anyPlace = anyOf(['tenant_id', 'chain'])
const anyPoint = anyOf(['tenant_id', 'chain', 'sequence'])
const marks = Array.from({ length: placesPerStatement }, () => '?').join(', ')

async function endsNow(
  ledger: Ledger,
  query: Query,
  places: readonly ChainPlace[],
): Promise<ReadonlyMap<string, ChainNow>> {
  const heads = await headsOf(ledger, query, [...new Set(places.map(({ tenantId }) => tenantId))])
  const found = new Map<string, ChainNow>()
  for (const { tenantId, chain } of places) {
    const head = chain === authorityChain ? heads.get(tenantId) : undefined
    if (head !== undefined) found.set(keyOf(head), head)
  }
  const others = places.filter(({ chain }) => chain !== authorityChain)
  for (const block of blocksOf(others)) {
    const rows = await query(
      `SELECT tenant_id, chain, sequence, chain_hash FROM ${ledger.chains} WHERE ${anyPlace}`,
      block.flatMap(({ tenantId, chain }) => [tenantId, chain]),
    )
    for (const end of rows.flatMap((row) => besideHead(heads, row))) found.set(keyOf(end), end)
  }
  return found
}

async function chainsOf(ledger: Ledger, query: Query, tenantIds: readonly string[]): Promise<ChainNow[]> {
  const heads = await headsOf(ledger, query, tenantIds)
  const chains = [...heads.values()]
  for (const block of blocksOf(tenantIds)) {
    const rows = await query(
      `SELECT tenant_id, chain, sequence, chain_hash FROM ${ledger.chains} WHERE tenant_id IN (${marks})`,
      block,
    )
    chains.push(...rows.flatMap((row) => besideHead(heads, row)))
  }
  return chains
}

async function headsOf(ledger: Ledger, query: Query, tenantIds: readonly string[]): Promise<Map<string, ChainNow>> {
  const words = ledger === cellLedger ? ', slug, state' : ''
  const heads = new Map<string, ChainNow>()
  for (const block of blocksOf(tenantIds)) {
    const rows = await query(
      `SELECT tenant_id, timeline_id, sequence, chain_hash${words} FROM ${ledger.head} WHERE tenant_id IN (${marks})`,
      block,
    )
    for (const row of rows) {
      const tenantId = String(row.tenant_id)
      heads.set(tenantId, {
        ...{
          tenantId,
          chain: authorityChain,
          tenantSlug: String(row.slug ?? ''),
          tenantState: String(row.state ?? ''),
        },
        ...{ timelineId: String(row.timeline_id), sequence: Number(row.sequence) },
        chainHash: row.chain_hash as Uint8Array,
      })
    }
  }
  return heads
}

/** A chain without a head belongs to nobody: it is as if it were not there. */
function besideHead(heads: ReadonlyMap<string, ChainNow>, row: Row): ChainNow[] {
  const head = heads.get(String(row.tenant_id))
  if (head === undefined) return []
  const end = { sequence: Number(row.sequence), chainHash: row.chain_hash as Uint8Array }
  return [{ ...head, ...end, chain: String(row.chain) }]
}

async function journalHashes(
  ledger: Ledger,
  query: Query,
  points: readonly ChainPoint[],
): Promise<ReadonlyMap<string, Uint8Array>> {
  const found = new Map<string, Uint8Array>()
  for (const block of blocksOf(points)) {
    const rows = await query(
      `SELECT tenant_id, chain, hash FROM ${ledger.journal} WHERE ${anyPoint}`,
      block.flatMap(({ tenantId, chain, sequence }) => [tenantId, chain, sequence]),
    )
    for (const { tenant_id, chain, hash } of rows) {
      found.set(keyOf({ tenantId: String(tenant_id), chain: String(chain) }), hash as Uint8Array)
    }
  }
  return found
}
