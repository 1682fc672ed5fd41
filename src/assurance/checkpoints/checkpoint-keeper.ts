import type { Clock } from '../../base/clock.ts'
import { isAway } from '../../base/errors.ts'
import { settledWithin } from '../../base/settled-within.ts'
import { type CheckpointDocument, digestOf } from '../../jwt/audit-checkpoint.ts'
import { signDocument } from '../../jwt/signed-document.ts'
import type { SigningKey } from '../../jwt/signing-key.ts'
import { type ChainEnds, type ChainNow, type ChainPlace, keyOf } from '../../tenancy/chain-ends.ts'
import type { CheckpointBook, CheckpointEnd } from '../../tenancy/checkpoint-book.ts'
import type { AuditCheckpointRow } from '../../tenancy/checkpoint-tables.ts'
import { outsidePlaces } from '../../tenancy/place-check.ts'
import { type ChainJudgement, judgeChain } from './chain-judgement.ts'
import type { CheckpointSink } from './checkpoint-sink.ts'

/** Makes checkpoints of every chain that grows, and sees that they leave the database. Disposing makes the last one. */
export interface CheckpointKeeper extends AsyncDisposable {
  grown(place: ChainPlace): void
  /** Some chains may have grown unheard: all are looked at. */
  missed(): void
  /** One round now, after the one under way. Rejects where the database is away. */
  round(): Promise<void>
}

export interface CheckpointEvents {
  /** A chain is not what was signed for. Once for each chain. */
  rewritten(place: ChainPlace, problem: string): void
  /** A tenant, or the platform, goes on from a restored database. */
  restored(place: ChainPlace): void
  /** The newest checkpoint this server knew of is not there any more. */
  lost(number: number): void
  unshipped(error: unknown): void
  /** A round failed in a way that does not mend itself. */
  failed(error: unknown): void
  /** Everything committed before that time is in a checkpoint that is outside; so many chains are not what was signed for. */
  current(timeMs: number, rewritten: number): void
}

export interface CheckpointKeeperParts {
  readonly ends: ChainEnds
  readonly book: CheckpointBook
  /** Undefined: they stay in the database. */
  readonly sink: CheckpointSink | undefined
  readonly signingKey: () => SigningKey
  readonly clock: Clock
  readonly jitter: () => number
  /** Name of this server. */
  readonly maker: string
  readonly events: CheckpointEvents
}

/** So that what is committed is outside within ten seconds, the round before it and that of another server included. */
const roundMs = 4_000
/** One that another server has just made is not followed at once by another: each would hold a handful of chains. */
const courtesyMs = 1_500
/** Of one checkpoint: some hundred kilobytes. */
const maxChains = 2_000
const maxCheckpointsPerRound = 10
/** What its maker has not shipped by then, another server ships. */
const abandonedMs = 15_000
const shippedAtOnce = 20
/** Every chain is looked at again, for what nothing tells of: a tail that was cut, a chain taken away. */
const sweepMs = 60 * 60_000
/** Chains that do not grow are signed for again, so that old checkpoints need not be kept for them. */
const refreshMs = 7 * 24 * 60 * 60_000
const keepMs = 60 * 60_000
/** Of a server that stops: what it does not come to is the next one's. */
const endMs = 1_000

export function startCheckpointKeeper(parts: CheckpointKeeperParts): CheckpointKeeper {
  return new Keeper(parts)
}

class Keeper implements CheckpointKeeper {
  readonly #parts: CheckpointKeeperParts
  readonly #pending = new Map<string, ChainPlace>()
  readonly #rewritten = new Set<string>()
  #sweptAtMs = Number.NEGATIVE_INFINITY
  #newest = 0
  #timer: NodeJS.Timeout | undefined
  #running: Promise<void> = Promise.resolve()
  #unshipped = false
  #ended = false

  constructor(parts: CheckpointKeeperParts) {
    this.#parts = parts
    this.#schedule()
  }

  grown(place: ChainPlace): void {
    this.#pending.set(keyOf(place), place)
  }

  missed(): void {
    this.#sweptAtMs = Number.NEGATIVE_INFINITY
  }

  round(): Promise<void> {
    const round = this.#running.then(() => outsidePlaces(() => this.#round()))
    this.#running = round.catch(() => undefined)
    return round
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#timer)
    this.#ended = true
    await settledWithin(this.round(), endMs)
  }

  #schedule(): void {
    const tick = async (): Promise<void> => {
      try {
        await this.round()
      } catch (error) {
        if (!isAway(error)) this.#parts.events.failed(error)
      }
      if (!this.#ended) this.#schedule()
    }
    this.#timer = setTimeout(() => void tick(), roundMs * (0.75 + this.#parts.jitter() / 2)).unref()
  }

  async #round(): Promise<void> {
    const { clock, events } = this.#parts
    const startMs = clock.nowMs()
    await this.#sweep()
    let whole = this.#pending.size === 0
    for (let made = 0; !whole && made < maxCheckpointsPerRound; made += 1) {
      if (!(await this.#checkpoint())) break
      whole = this.#pending.size === 0
    }
    const shipped = await this.#ship()
    if (whole && shipped) events.current(startMs, this.#rewritten.size)
  }

  /** Looks at every chain there is, once an hour and where something may have been missed. */
  async #sweep(): Promise<void> {
    const { ends, book, clock } = this.#parts
    const nowMs = clock.monotonicMs()
    if (nowMs - this.#sweptAtMs < sweepMs) return
    const refresh = new Date(clock.nowMs() - refreshMs)
    for (let after = ''; ; ) {
      const { chains, last } = await ends.page(after)
      if (last === undefined) break
      const there = new Map(chains.map((chain) => [keyOf(chain), chain]))
      for (const end of await book.endsBetween(after, last, refresh)) {
        const now = there.get(keyOf(end))
        const asKnown = now?.sequence === end.sequence && Buffer.from(now.chainHash).equals(end.chainHash)
        if (!asKnown || end.old) this.grown(end)
        if (asKnown) there.delete(keyOf(end))
      }
      for (const chain of there.values()) this.grown(chain)
      after = last
    }
    await book.sweep(new Date(clock.nowMs() - keepMs))
    this.#sweptAtMs = nowMs
  }

  /** One checkpoint of some of the chains that have grown. False: not now. */
  async #checkpoint(): Promise<boolean> {
    const { book, clock, events, maker } = this.#parts
    const places = [...this.#pending.values()].slice(0, maxChains)
    const last = await book.last()
    if ((last?.number ?? 0) < this.#newest) events.lost(this.#newest)
    this.#newest = last?.number ?? 0
    if (last !== undefined && last.maker !== maker && clock.nowMs() - last.createTime.getTime() < courtesyMs) {
      return false
    }
    const judged = await this.#judge(places)
    const held = judged.flatMap(([place, judgement]) => toBeSigned(place, judgement))
    if (held.length > 0 && !(await this.#append(last, held))) return false
    for (const place of places) {
      // Another one there by now: it has grown again since it was looked at.
      if (this.#pending.get(keyOf(place)) === place) this.#pending.delete(keyOf(place))
    }
    return true
  }

  async #judge(places: readonly ChainPlace[]): Promise<(readonly [ChainPlace, ChainJudgement])[]> {
    const { book, ends, events } = this.#parts
    // In this order: what is known first.
    const known = await book.endsOf(places)
    const now = await ends.now(places)
    const points = known.filter((end): end is CheckpointEnd => end !== undefined)
    const hashes = new Map((await ends.hashesAt(points)).map((hash, at) => [keyOf(points[at] as CheckpointEnd), hash]))
    return places.map((place, at) => {
      const key = keyOf(place)
      const judgement = judgeChain(known[at], now[at], hashes.get(key))
      if (judgement.kind === 'rewritten' && !this.#rewritten.has(key)) {
        this.#rewritten.add(key)
        events.rewritten(place, judgement.problem)
      }
      if (judgement.kind !== 'rewritten') this.#rewritten.delete(key)
      if (judgement.kind === 'restored') events.restored(place)
      return [place, judgement] as const
    })
  }

  async #append(last: AuditCheckpointRow | undefined, chains: readonly ChainNow[]): Promise<boolean> {
    const { book, clock, sink, maker } = this.#parts
    const createTime = new Date(clock.nowMs())
    const number = (last?.number ?? 0) + 1
    const document: CheckpointDocument = {
      ...{ number, createTimeMs: createTime.getTime(), previous: last === undefined ? '' : digestOf(last.document) },
      chains: chains.map(({ tenantId, tenantSlug, chain, sequence, chainHash, timelineId }) => ({
        ...{ tenant: tenantSlug === '' ? '' : `tenants/${tenantSlug}`, tenantUid: tenantId, chain, sequence },
        ...{ hash: Buffer.from(chainHash).toString('hex'), timeline: timelineId },
      })),
    }
    const jws = await signDocument('tenure-audit-checkpoint', document, this.#parts.signingKey())
    const row = { number, maker, document: Buffer.from(jws, 'latin1'), createTime }
    const appended = await book.append(
      { ...row, shippedTime: sink === undefined ? createTime : null },
      chains.map((chain) => ({ ...chain, number })),
    )
    if (appended) this.#newest = number
    return appended
  }

  /** In their order. Answers whether nothing is left. */
  async #ship(): Promise<boolean> {
    const { book, sink, clock, maker, events } = this.#parts
    if (sink === undefined) return true
    const abandoned = new Date(clock.nowMs() - abandonedMs)
    for (;;) {
      const rows = await book.unshipped(maker, abandoned, shippedAtOnce)
      for (const row of rows) {
        try {
          await sink.ship(row.number, lineOf(row))
        } catch (error) {
          if (!this.#unshipped) events.unshipped(error)
          this.#unshipped = true
          return false
        }
        await book.markShipped(row.number, new Date(clock.nowMs()))
      }
      this.#unshipped = false
      if (rows.length < shippedAtOnce) return true
    }
  }
}

/** A chain that is where it was is signed for again only where the sweep says that it is long since. */
function toBeSigned(place: ChainPlace, judgement: ChainJudgement): ChainNow[] {
  if (judgement.kind === 'same') return 'old' in place && place.old === true ? [judgement.now] : []
  return 'now' in judgement ? [judgement.now] : []
}

/** What is shipped, the same to every place: JSON on one line. */
function lineOf({ number, createTime, document }: AuditCheckpointRow): string {
  const data = { number, checkpoint: Buffer.from(document).toString('latin1') }
  return JSON.stringify({ type: 'audit.checkpoint', timestamp: createTime.toISOString(), data })
}
