import { type ChainEnds, type ChainNow, type ChainPlace, keyOf } from '../../tenancy/chain-ends.ts'
import type { CheckpointBook, CheckpointEnd } from '../../tenancy/checkpoint-book.ts'
import { type ChainJudgement, judgeChain } from './chain-judgement.ts'
import type { CheckpointEvents } from './checkpoint-events.ts'

export interface ChainJudgeParts {
  readonly ends: ChainEnds
  readonly book: CheckpointBook
  readonly events: Pick<CheckpointEvents, 'rewritten' | 'rewrittenCount' | 'restored'>
}

/** Says which chains may be signed for, and tells of those that are not what was signed for before. */
export class ChainJudge {
  readonly #parts: ChainJudgeParts
  readonly #rewritten = new Set<string>()

  constructor(parts: ChainJudgeParts) {
    this.#parts = parts
  }

  async toBeSigned(places: readonly ChainPlace[]): Promise<ChainNow[]> {
    const { events } = this.#parts
    let judged = await this.#look(places)
    // Once more: a purge may have begun between one reading and the next.
    const doubtful = places.filter((_, at) => judged[at]?.kind === 'rewritten')
    if (doubtful.length > 0) {
      const again = new Map((await this.#look(doubtful)).map((judgement, at) => [doubtful[at], judgement]))
      judged = places.map((place, at) => again.get(place) ?? (judged[at] as ChainJudgement))
    }
    const signed = places.flatMap((place, at) => this.#told(place, judged[at] as ChainJudgement))
    events.rewrittenCount(this.#rewritten.size)
    return signed
  }

  async #look(places: readonly ChainPlace[]): Promise<ChainJudgement[]> {
    const { book, ends } = this.#parts
    // In this order: what is known first.
    const known = await book.endsOf(places)
    const now = await ends.now(places)
    const points = known.filter((end): end is CheckpointEnd => end !== undefined)
    const hashes = await ends.hashesAt(points)
    const hashOf = new Map(points.map((point, at) => [keyOf(point), hashes[at]]))
    return places.map((place, at) => judgeChain(known[at], now[at], hashOf.get(keyOf(place))))
  }

  #told(place: ChainPlace, judgement: ChainJudgement): ChainNow[] {
    const key = keyOf(place)
    if (judgement.kind === 'rewritten') {
      if (!this.#rewritten.has(key)) this.#parts.events.rewritten(place, judgement.problem)
      this.#rewritten.add(key)
      return []
    }
    this.#rewritten.delete(key)
    if (judgement.kind === 'restored') this.#parts.events.restored(place)
    // A chain that is where it was is signed for again only where the sweep says that it is long since.
    if (judgement.kind === 'same') return 'old' in place && place.old === true ? [judgement.now] : []
    return 'now' in judgement ? [judgement.now] : []
  }
}
