import { fromBinary } from '@bufbuild/protobuf'
import { AuditRecordSchema } from '../gen/tenure/internal/v1/audit_record_pb.ts'
import { chainHash, chainStart, sameHash } from './audit-chain.ts'
import type { ChainPlace } from './chain-ends.ts'
import type { JournalScope } from './journal-store.ts'
import type { JournalRow } from './journal-table.ts'

/** Where a chain is known to have been, from somewhere else than its rows. */
export interface KnownPoint {
  readonly sequence: number
  /** Lower-case hex. */
  readonly hash: string
  /** In words: what the problem is told with. */
  readonly source: string
}

export interface ChainVerdict {
  readonly valid: boolean
  readonly verifiedCount: number
  /** 0 when valid. */
  readonly firstBadSequence: number
  readonly headHash: Uint8Array
  /** A sentence; empty when valid. */
  readonly problem: string
}

const pageSize = 1_000

/**
 * Recomputes a chain from its stored bytes. Finds an event that was edited (its hash), removed, inserted or reordered (its
 * sequence and the hash before it), a column that says other than the record beside it, and a tail that was cut (the head).
 * Who rewrites everything, heads included, is found by what is known from elsewhere alone: `known`.
 */
export async function verifyChain(
  journal: JournalScope,
  { tenantId, chain }: ChainPlace,
  known: readonly KnownPoint[],
): Promise<ChainVerdict> {
  const end = await journal.chainEnd(chain)
  const knownAt = Map.groupBy(known, ({ sequence }) => sequence)
  let hash: Uint8Array = chainStart
  let sequence = 0
  const bad = (problem: string): ChainVerdict => ({
    ...{ valid: false, verifiedCount: sequence, firstBadSequence: sequence + 1, headHash: hash, problem },
  })
  for (;;) {
    const page = await pageAfter(journal, chain, sequence)
    for (const row of page) {
      if (row.sequence !== sequence + 1) return bad(`There is no event at ${sequence + 1}.`)
      const expected = chainHash(hash, row.record)
      if (!sameHash(expected, row.hash))
        return bad(`The hash of the event at ${row.sequence} is not that of its bytes.`)
      if (!agrees(row, tenantId, chain)) return bad(`The columns at ${row.sequence} say other than the event itself.`)
      const other = contradiction(knownAt.get(row.sequence), expected)
      if (other !== undefined) return bad(`The event at ${row.sequence} is not the one that ${other.source} holds.`)
      hash = expected
      sequence += 1
    }
    if (page.length < pageSize) break
  }
  const further = known.find((point) => point.sequence > sequence)
  if (further !== undefined) return bad(`It ends at ${sequence}, and ${further.source} has it at ${further.sequence}.`)
  const complete = sequence === (end?.sequence ?? 0) && sameHash(hash, end?.chainHash ?? chainStart)
  if (!complete) return bad(`It ends at ${sequence}, and its head says ${end?.sequence ?? 0}, or another hash.`)
  return { valid: true, verifiedCount: sequence, firstBadSequence: 0, headHash: hash, problem: '' }
}

function contradiction(points: readonly KnownPoint[] | undefined, hash: Uint8Array): KnownPoint | undefined {
  return points?.find((point) => point.hash !== Buffer.from(hash).toString('hex'))
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
