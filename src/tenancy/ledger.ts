import type { EntityManager } from 'typeorm'
import { TenureError } from '../base/errors.ts'
import { chainStart } from './audit-chain.ts'

/** The tables that carry heads, journal and chains: those of a cell, or those of the directory. Same rules for both. */
export interface Ledger {
  readonly head: 'tenant_heads' | 'directory_heads'
  readonly journal: 'journal' | 'directory_journal'
  readonly chains: 'audit_chains' | 'directory_chains'
}

export const cellLedger: Ledger = { head: 'tenant_heads', journal: 'journal', chains: 'audit_chains' }
export const directoryLedger: Ledger = {
  head: 'directory_heads',
  journal: 'directory_journal',
  chains: 'directory_chains',
}

/** The row that orders all writes of authority of one tenant, or of the platform. */
export interface Head {
  readonly tenantId: string
  readonly timelineId: string
  readonly placementEpoch: number
  readonly revision: number
  readonly sequence: number
  readonly chainHash: Uint8Array
  /** Empty for the directory. */
  readonly state: string
}

export type ChangeLog = (readonly [table: string, workspaceId: string, id: string])[]

export interface ChainEnd {
  readonly sequence: number
  readonly chainHash: Uint8Array
}

/** The first statement of every write: whoever comes second waits here and then sees what the first one wrote. */
export async function lockHead(
  manager: EntityManager,
  ledger: Ledger,
  tenantId: string,
  lock: string,
): Promise<Head | undefined> {
  const state = ledger.head === 'tenant_heads' ? ', state' : ''
  const rows: Record<string, unknown>[] = await manager.query(
    `SELECT timeline_id, placement_epoch, revision, sequence, chain_hash${state} FROM ${ledger.head} WHERE tenant_id = ?${lock}`,
    [tenantId],
  )
  const row = rows[0]
  if (row === undefined) return undefined
  return {
    tenantId,
    timelineId: String(row.timeline_id),
    placementEpoch: Number(row.placement_epoch),
    revision: Number(row.revision),
    sequence: Number(row.sequence),
    chainHash: row.chain_hash as Uint8Array,
    state: String(row.state ?? ''),
  }
}

export async function advanceHead(
  manager: EntityManager,
  ledger: Ledger,
  head: Head,
  end: ChainEnd,
  revision: number,
): Promise<void> {
  await manager.query(`UPDATE ${ledger.head} SET revision = ?, sequence = ?, chain_hash = ? WHERE tenant_id = ?`, [
    revision,
    end.sequence,
    end.chainHash,
    head.tenantId,
  ])
}

/** One unit of work as its journal row tells it from every other. */
export interface Attempt {
  readonly tenantId: string
  readonly chain: string
  readonly sequence: number
  readonly attemptId: string
}

/**
 * Whether that unit is committed. Takes the head's lock first: a unit that still lives holds it, and once it is had, what
 * is not in the journal never will be.
 */
export async function isCommitted(
  manager: EntityManager,
  ledger: Ledger,
  attempt: Attempt,
  lock: string,
): Promise<boolean> {
  await lockHead(manager, ledger, attempt.tenantId, lock)
  const rows: Record<string, unknown>[] = await manager.query(
    `SELECT attempt_id FROM ${ledger.journal} WHERE tenant_id = ? AND chain = ? AND sequence = ?`,
    [attempt.tenantId, attempt.chain, attempt.sequence],
  )
  return rows[0]?.attempt_id === attempt.attemptId
}

/** The answer stored for this request id, after its hash has been compared. Undefined: the request id is new. */
export async function storedAnswer(
  manager: EntityManager,
  ledger: Ledger,
  tenantId: string,
  idempotency: { readonly key: Uint8Array; readonly requestHash: Uint8Array },
): Promise<Uint8Array | undefined> {
  const rows: Record<string, unknown>[] = await manager.query(
    `SELECT request_hash, answer FROM ${ledger.journal} WHERE tenant_id = ? AND idempotency_key = ?`,
    [tenantId, idempotency.key],
  )
  const row = rows[0]
  if (row === undefined) return undefined
  if (!Buffer.from(idempotency.requestHash).equals(row.request_hash as Uint8Array)) {
    throw new TenureError(
      'REQUEST_ID_REUSED',
      'This request id was used before with another body. Take a new request id, or send the same body.',
    )
  }
  return (row.answer as Uint8Array | null) ?? undefined
}

/** Where a chain other than `authority` ends; a chain that has no row yet begins. */
export async function lockChain(
  manager: EntityManager,
  ledger: Ledger,
  tenantId: string,
  chain: string,
  lock: string,
): Promise<ChainEnd & { readonly isNew: boolean }> {
  const rows: Record<string, unknown>[] = await manager.query(
    `SELECT sequence, chain_hash FROM ${ledger.chains} WHERE tenant_id = ? AND chain = ?${lock}`,
    [tenantId, chain],
  )
  const row = rows[0]
  if (row === undefined) return { sequence: 0, chainHash: chainStart, isNew: true }
  return { sequence: Number(row.sequence), chainHash: row.chain_hash as Uint8Array, isNew: false }
}

export async function storeChain(
  manager: EntityManager,
  ledger: Ledger,
  tenantId: string,
  chain: string,
  end: ChainEnd,
  isNew: boolean,
): Promise<void> {
  if (isNew) {
    await manager.query(`INSERT INTO ${ledger.chains} (tenant_id, chain, sequence, chain_hash) VALUES (?, ?, ?, ?)`, [
      tenantId,
      chain,
      end.sequence,
      end.chainHash,
    ])
    return
  }
  await manager.query(`UPDATE ${ledger.chains} SET sequence = ?, chain_hash = ? WHERE tenant_id = ? AND chain = ?`, [
    end.sequence,
    end.chainHash,
    tenantId,
    chain,
  ])
}
