import { sameHash } from '../../tenancy/audit-chain.ts'
import type { ChainNow } from '../../tenancy/chain-ends.ts'
import type { CheckpointEnd } from '../../tenancy/checkpoint-book.ts'

/** What a chain has become since the newest checkpoint that holds it. */
export type ChainJudgement =
  /** It is where it was. */
  | { readonly kind: 'same'; readonly now: ChainNow }
  /** It goes on from there. */
  | { readonly kind: 'grown'; readonly now: ChainNow }
  /** The database was restored: it may go on from anywhere. */
  | { readonly kind: 'restored'; readonly now: ChainNow }
  /** Its tenant was purged, or it never was. */
  | { readonly kind: 'gone' }
  /** Somebody changed what was signed for. */
  | { readonly kind: 'rewritten'; readonly problem: string }

/**
 * `known`: what the newest checkpoint says; `hashThere`: what the journal has at the sequence it names. To be read in this
 * order, known first: then an honest chain is never behind what is known of it.
 */
export function judgeChain(
  known: CheckpointEnd | undefined,
  now: ChainNow | undefined,
  hashThere: Uint8Array | undefined,
): ChainJudgement {
  if (now?.tenantState === 'PURGED') return { kind: 'gone' }
  if (now === undefined) return known === undefined ? { kind: 'gone' } : rewritten('the chain is gone')
  if (known === undefined) return { kind: 'grown', now }
  if (now.timelineId !== known.timelineId) return { kind: 'restored', now }
  if (now.sequence < known.sequence) return rewritten(`it ends at ${now.sequence}, and had come to ${known.sequence}`)
  if (now.sequence === known.sequence) {
    return sameHash(now.chainHash, known.chainHash) ? { kind: 'same', now } : rewritten('its end has another hash')
  }
  if (hashThere === undefined) return rewritten(`the event at ${known.sequence} is gone`)
  return sameHash(hashThere, known.chainHash)
    ? { kind: 'grown', now }
    : rewritten(`the event at ${known.sequence} has another hash`)
}

function rewritten(problem: string): ChainJudgement {
  return { kind: 'rewritten', problem }
}
