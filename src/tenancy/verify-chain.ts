import { fromBinary } from '@bufbuild/protobuf'
import { AuditRecordSchema } from '../gen/tenure/internal/v1/audit_record_pb.ts'
import { chainHash, chainStart } from './audit-chain.ts'
import type { JournalScope } from './journal-store.ts'
import type { JournalRow } from './journal-table.ts'

export interface ChainVerdict {
  readonly valid: boolean
  readonly verifiedCount: number
  /** 0 when valid. */
  readonly firstBadSequence: number
  readonly headHash: Uint8Array
}

const pageSize = 1_000

/**
 * Recomputes a chain from its stored bytes. Finds an event that was edited (its hash), removed, inserted or reordered (its
 * sequence and the hash before it), a column that says other than the record beside it, and a tail that was cut (the head).
 * Who rewrites everything, heads included, is found by checkpoints kept outside the database alone.
 */
export async function verifyChain(journal: JournalScope, tenantId: string, chain: string): Promise<ChainVerdict> {
  const end = await journal.chainEnd(chain)
  let hash: Uint8Array = chainStart
  let sequence = 0
  for (;;) {
    const page = await pageAfter(journal, chain, sequence)
    for (const row of page) {
      const expected = chainHash(hash, row.record)
      if (row.sequence !== sequence + 1 || !sameBytes(expected, row.hash) || !agrees(row, tenantId, chain)) {
        return { valid: false, verifiedCount: sequence, firstBadSequence: sequence + 1, headHash: hash }
      }
      hash = expected
      sequence += 1
    }
    if (page.length < pageSize) break
  }
  const complete = sequence === (end?.sequence ?? 0) && sameBytes(hash, end?.chainHash ?? chainStart)
  return complete
    ? { valid: true, verifiedCount: sequence, firstBadSequence: 0, headHash: hash }
    : { valid: false, verifiedCount: sequence, firstBadSequence: sequence + 1, headHash: hash }
}

function pageAfter(journal: JournalScope, chain: string, sequence: number): Promise<JournalRow[]> {
  return journal.rows.page({
    conditions: [
      { sql: 'row.chain = :chain', parameters: { chain } },
      { sql: 'row.sequence > :sequence', parameters: { sequence } },
    ],
    orderBy: [{ property: 'sequence', descending: false }],
    limit: pageSize,
  })
}

/** What is searched by must be what was signed for: a column edited beside an untouched record would lie in every list. */
function agrees(row: JournalRow, tenantId: string, chain: string): boolean {
  try {
    const record = fromBinary(AuditRecordSchema, row.record)
    return (
      record.tenantId === tenantId &&
      record.chain === chain &&
      Number(record.sequence) === row.sequence &&
      record.eventId === row.eventId &&
      Number(record.eventTimeMs) === row.eventTime.getTime() &&
      record.principal === row.principal &&
      record.event === row.event &&
      record.target === row.target &&
      record.workspaceId === row.workspaceId
    )
  } catch {
    return false
  }
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.from(a).equals(b)
}
