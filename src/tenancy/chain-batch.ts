import type { EntityManager } from 'typeorm'
import type { Engine } from '../storage/database.ts'
import { chainStart } from './audit-chain.ts'
import { insertTuples, orUpdate } from './insert-tuples.ts'
import type { ChainEnd, Ledger } from './ledger.ts'

/** Where one tenant's chain has come to. */
export interface ChainOfTenant extends ChainEnd {
  readonly tenantId: string
}

/** Chains per statement, largest first: few texts, so that each is judged and prepared once. */
const perStatement = [64, 32, 16, 8, 4, 2, 1]

/** Where the chain of that name ends, for each tenant in the order asked; one that has no row yet begins. Locked in one order everywhere. */
export async function lockChains(
  manager: EntityManager,
  ledger: Ledger,
  tenantIds: readonly string[],
  chain: string,
  lock: string,
): Promise<ChainEnd[]> {
  const found = new Map<string, ChainEnd>()
  const sorted = [...tenantIds].sort()
  for (let at = 0; at < sorted.length; at += perStatement[0] ?? 1) {
    const asked = sorted.slice(at, at + (perStatement[0] ?? 1))
    const size = perStatement.findLast((each) => each >= asked.length) ?? asked.length
    const marks = Array.from({ length: size }, () => '?').join(', ')
    const padded = Array.from({ length: size }, (_, index) => asked[index] ?? asked[0])
    const rows: Record<string, unknown>[] = await manager.query(
      `SELECT tenant_id, sequence, chain_hash FROM ${ledger.chains} WHERE chain = ? AND tenant_id IN (${marks}) ORDER BY tenant_id${lock}`,
      [chain, ...padded],
    )
    for (const row of rows) {
      found.set(String(row.tenant_id), { sequence: Number(row.sequence), chainHash: row.chain_hash as Uint8Array })
    }
  }
  return tenantIds.map((tenantId) => found.get(tenantId) ?? { sequence: 0, chainHash: chainStart })
}

/** Whether a chain is new makes no difference here. */
export async function storeChains(
  manager: EntityManager,
  ledger: Ledger,
  engine: Engine,
  chain: string,
  ends: readonly ChainOfTenant[],
): Promise<void> {
  const sorted = [...ends].sort((a, b) => (a.tenantId < b.tenantId ? -1 : 1))
  await insertTuples(manager, {
    table: ledger.chains,
    columns: ['tenant_id', 'chain', 'sequence', 'chain_hash'],
    tuples: sorted.map(({ tenantId, sequence, chainHash }) => [tenantId, chain, sequence, chainHash]),
    otherwise: orUpdate(engine, ['tenant_id', 'chain'], ['sequence', 'chain_hash']),
  })
}
