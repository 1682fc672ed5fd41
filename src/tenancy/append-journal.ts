import type { EntityManager } from 'typeorm'
import { type AuditFacts, chainEvent } from './audit-chain.ts'
import { insertTuples } from './insert-tuples.ts'
import type { ChainEnd, ChangeLog, Ledger } from './ledger.ts'
import type { Actor } from './tenant-context.ts'

/** What a journal row is written from. */
export interface JournalEntry {
  readonly chain: string
  readonly eventId: string
  readonly eventTime: Date
  readonly workspaceId: string
  readonly event: string
  readonly target: string
  readonly actor: Actor
  readonly denied: boolean
  readonly reason: string
  readonly details: Readonly<Record<string, string | number | boolean | readonly string[]>>
  readonly revision: number
  readonly changes: ChangeLog | null
  readonly attemptId: string | null
  readonly idempotencyKey: Uint8Array | null
  readonly requestHash: Uint8Array | null
  readonly answer: Uint8Array | null
}

const columns =
  'tenant_id chain sequence event_id workspace_id event_time principal event target record hash revision changes attempt_id idempotency_key request_hash answer'.split(
    ' ',
  )

/** What one journal row is inserted with. */
export type JournalValues = readonly unknown[]

/** Writes one journal row behind `end` and answers the new end. */
export async function appendJournal(
  manager: EntityManager,
  ledger: Ledger,
  tenantId: string,
  end: ChainEnd,
  entry: JournalEntry,
): Promise<ChainEnd> {
  const behind = journalRowsBehind(tenantId, end, [entry])
  await insertInJournal(manager, ledger, behind.rows)
  return behind.end
}

/** One row for each entry of one chain, in their order, and where the chain ends behind them. */
export function journalRowsBehind(
  tenantId: string,
  end: ChainEnd,
  entries: readonly JournalEntry[],
): { readonly rows: JournalValues[]; readonly end: ChainEnd } {
  const rows: JournalValues[] = []
  let { sequence, chainHash } = end
  for (const entry of entries) {
    sequence += 1
    const { record, hash } = chainEvent(chainHash, auditFacts(tenantId, sequence, entry))
    rows.push(valuesOf(tenantId, sequence, entry, record, hash))
    chainHash = hash
  }
  return { rows, end: { sequence, chainHash } }
}

export function insertInJournal(
  manager: EntityManager,
  ledger: Ledger,
  tuples: readonly JournalValues[],
): Promise<void> {
  return insertTuples(manager, { table: ledger.journal, columns, tuples })
}

function valuesOf(
  tenantId: string,
  sequence: number,
  entry: JournalEntry,
  record: Uint8Array,
  hash: Uint8Array,
): unknown[] {
  return [
    tenantId,
    entry.chain,
    sequence,
    entry.eventId,
    entry.workspaceId,
    entry.eventTime,
    entry.actor.principal,
    entry.event,
    entry.target,
    record,
    hash,
    entry.revision,
    entry.changes === null ? null : JSON.stringify(entry.changes),
    entry.attemptId,
    entry.idempotencyKey,
    entry.requestHash,
    entry.answer,
  ]
}

function auditFacts(tenantId: string, sequence: number, entry: JournalEntry): AuditFacts {
  return {
    tenantId,
    chain: entry.chain,
    sequence: BigInt(sequence),
    eventId: entry.eventId,
    eventTimeMs: BigInt(entry.eventTime.getTime()),
    principal: entry.actor.principal,
    credential: entry.actor.credential,
    event: entry.event,
    target: entry.target,
    workspaceId: entry.workspaceId,
    denied: entry.denied,
    reason: entry.reason,
    requestId: entry.actor.requestId,
    clientIp: entry.actor.clientIp,
    detailsJson: JSON.stringify(entry.details),
    revision: BigInt(entry.revision),
  }
}
