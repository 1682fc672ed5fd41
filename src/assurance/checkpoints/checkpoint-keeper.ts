import type { Clock } from '../../base/clock.ts'
import { isAway } from '../../base/errors.ts'
import { settledWithin } from '../../base/settled-within.ts'
import { type CheckpointDocument, digestOf } from '../../jwt/audit-checkpoint.ts'
import { signDocument } from '../../jwt/signed-document.ts'
import type { SigningKey } from '../../jwt/signing-key.ts'
import { type ChainEnds, type ChainNow, type ChainPlace, keyOf } from '../../tenancy/chain-ends.ts'
import type { CheckpointBook } from '../../tenancy/checkpoint-book.ts'
import type { AuditCheckpointRow } from '../../tenancy/checkpoint-tables.ts'
import { outsidePlaces } from '../../tenancy/place-check.ts'
import { ChainJudge } from './chain-judge.ts'
import { suspectsOf } from './chain-sweep.ts'
import type { CheckpointEvents } from './checkpoint-events.ts'
import { CheckpointShipper } from './checkpoint-shipper.ts'
import type { CheckpointSink } from './checkpoint-sink.ts'

/** Makes checkpoints of every chain that grows, and sees that they leave the database. Disposing makes the last one. */
export interface CheckpointKeeper extends AsyncDisposable {
  grown(place: ChainPlace): void
  /** Some chains may have grown unheard: all are looked at. */
  missed(): void
  /** One round now, after the one under way. Rejects where the database is away. */
  round(): Promise<void>
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
/** Every chain is looked at again, for what nothing tells of: a tail that was cut, a chain taken away. */
const sweepMs = 60 * 60_000
const keepMs = 60 * 60_000
/** Of a server that stops: what it does not come to is the next one's. */
const endMs = 1_000

export function startCheckpointKeeper(parts: CheckpointKeeperParts): CheckpointKeeper {
  return new Keeper(parts)
}

class Keeper implements CheckpointKeeper {
  readonly #parts: CheckpointKeeperParts
  readonly #judge: ChainJudge
  readonly #shipper: CheckpointShipper
  /** Chains that have grown and wait for the next round. */
  #pending = new Map<string, ChainPlace>()
  #sweptAtMs = Number.NEGATIVE_INFINITY
  #newest = 0
  #timer: NodeJS.Timeout | undefined
  #running: Promise<void> = Promise.resolve()
  #ended = false

  constructor(parts: CheckpointKeeperParts) {
    this.#parts = parts
    this.#judge = new ChainJudge(parts)
    this.#shipper = new CheckpointShipper(parts)
    this.#schedule(roundMs)
  }

  grown(place: ChainPlace): void {
    this.#pending.set(keyOf(place), place)
  }

  missed(): void {
    this.#sweptAtMs = Number.NEGATIVE_INFINITY
  }

  async round(): Promise<void> {
    await this.#next()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#timer)
    this.#ended = true
    await settledWithin(this.#next(), endMs)
  }

  /** Answers when to come again, in milliseconds. */
  #next(): Promise<number> {
    const round = this.#running.then(() => outsidePlaces(() => this.#round()))
    this.#running = round.then(
      () => undefined,
      () => undefined,
    )
    return round
  }

  #schedule(inMs: number): void {
    const tick = async (): Promise<void> => {
      let againMs = roundMs
      try {
        againMs = await this.#next()
      } catch (error) {
        if (!isAway(error)) this.#parts.events.failed(error)
      }
      if (!this.#ended) this.#schedule(againMs)
    }
    this.#timer = setTimeout(() => void tick(), inMs * (0.75 + this.#parts.jitter() / 2)).unref()
  }

  async #round(): Promise<number> {
    const { clock, events } = this.#parts
    const startMs = clock.nowMs()
    await this.#sweep()
    // What grows from here on is the next round's: under steady growth this one would have no end.
    const work = [...this.#pending.values()]
    this.#pending = new Map()
    const left = await this.#checkpoint(work).catch((error: unknown) => {
      this.#comeBackTo(work)
      throw error
    })
    this.#comeBackTo(left)
    const shipped = await this.#shipper.ship()
    if (left.length === 0 && shipped) events.current(startMs)
    return left.length === 0 ? roundMs : courtesyMs
  }

  /** What has grown again meanwhile is there already. */
  #comeBackTo(places: readonly ChainPlace[]): void {
    for (const place of places) if (!this.#pending.has(keyOf(place))) this.grown(place)
  }

  /** Looks at every chain there is, once an hour and where something may have been missed. */
  async #sweep(): Promise<void> {
    const { book, clock } = this.#parts
    const nowMs = clock.monotonicMs()
    const before = this.#sweptAtMs
    if (nowMs - before < sweepMs) return
    // First, so that what is missed meanwhile asks for another one.
    this.#sweptAtMs = nowMs
    try {
      for await (const place of suspectsOf(this.#parts)) this.grown(place)
      await book.sweep(new Date(clock.nowMs() - keepMs))
    } catch (error) {
      this.#sweptAtMs = before
      throw error
    }
  }

  /** As many checkpoints as these chains need. Answers the chains there is none for yet. */
  async #checkpoint(work: readonly ChainPlace[]): Promise<readonly ChainPlace[]> {
    const { book, events } = this.#parts
    for (let at = 0; at < work.length; at += maxChains) {
      const last = await book.last()
      if ((last?.number ?? 0) < this.#newest) events.lost(this.#newest)
      this.#newest = last?.number ?? 0
      if (this.#wasJustMade(last)) return work.slice(at)
      const held = await this.#judge.toBeSigned(work.slice(at, at + maxChains))
      if (held.length > 0 && !(await this.#append(last, held))) return work.slice(at)
    }
    return []
  }

  /** By another server. One dated in the future is of a clock that is wrong, and must not stop all others. */
  #wasJustMade(last: AuditCheckpointRow | undefined): boolean {
    if (last === undefined || last.maker === this.#parts.maker || this.#ended) return false
    const ageMs = this.#parts.clock.nowMs() - last.createTime.getTime()
    return ageMs >= 0 && ageMs < courtesyMs
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
}
