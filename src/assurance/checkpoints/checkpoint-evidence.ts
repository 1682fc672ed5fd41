import { checkpointDocumentFrom } from '../../jwt/audit-checkpoint.ts'
import { verifyDocument } from '../../jwt/signed-document.ts'
import type { VerificationKeys } from '../../jwt/verification-keys.ts'
import type { ChainPlace } from '../../tenancy/chain-ends.ts'
import type { CheckpointBook } from '../../tenancy/checkpoint-book.ts'

/** What the newest checkpoint that holds a chain says of it, if its signature is one of ours. */
export type Evidence =
  | { readonly kind: 'none' }
  | { readonly kind: 'point'; readonly number: number; readonly sequence: number; readonly hash: string }
  /** It is not there, not signed by this installation, or does not say what the index beside it does. */
  | { readonly kind: 'damaged'; readonly number: number }

export interface CheckpointEvidence {
  of(place: ChainPlace): Promise<Evidence>
}

export function createCheckpointEvidence(book: CheckpointBook, keys: VerificationKeys): CheckpointEvidence {
  return {
    async of(place) {
      const [end] = await book.endsOf([place])
      if (end === undefined) return { kind: 'none' }
      const { number } = end
      const row = await book.find(number)
      const jws = row === undefined ? '' : Buffer.from(row.document).toString('latin1')
      const verified = await verifyDocument('tenure-audit-checkpoint', jws, (kid) => keys.get(kid))
      const document = checkpointDocumentFrom(verified?.document)
      if (document?.number !== number) return { kind: 'damaged', number }
      const said = document.chains.find(({ tenantUid, chain }) => tenantUid === place.tenantId && chain === place.chain)
      if (said === undefined || said.sequence !== end.sequence) return { kind: 'damaged', number }
      return { kind: 'point', number, sequence: said.sequence, hash: said.hash }
    },
  }
}
