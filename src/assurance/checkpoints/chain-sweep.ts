import type { Clock } from '../../base/clock.ts'
import { sameHash } from '../../tenancy/audit-chain.ts'
import { type ChainEnds, type ChainPlace, keyOf } from '../../tenancy/chain-ends.ts'
import type { CheckpointBook } from '../../tenancy/checkpoint-book.ts'

/** Chains that do not grow are signed for again, so that old checkpoints need not be kept for them. */
const refreshMs = 7 * 24 * 60 * 60_000
/** Behind every uid. */
const behindAll = '~'

/** Every chain that is not where its newest checkpoint has it, or that is due to be signed for again; those that are gone too. */
export async function* suspectsOf({
  ends,
  book,
  clock,
}: {
  readonly ends: ChainEnds
  readonly book: CheckpointBook
  readonly clock: Clock
}): AsyncGenerator<ChainPlace> {
  const refresh = new Date(clock.nowMs() - refreshMs)
  let after = ''
  for (;;) {
    const { chains, last } = await ends.page(after)
    const there = new Map(chains.map((chain) => [keyOf(chain), chain]))
    for (const end of await book.endsBetween(after, last ?? behindAll, refresh)) {
      const now = there.get(keyOf(end))
      const asKnown =
        now?.sequence === end.sequence && now.timelineId === end.timelineId && sameHash(now.chainHash, end.chainHash)
      if (!asKnown || end.old) yield end
      if (asKnown) there.delete(keyOf(end))
    }
    yield* there.values()
    if (last === undefined) return
    after = last
  }
}
