import type { WalkTenant } from './walk-model.ts'

/** One state of a tenant, and when it can have been the one that counts. */
interface WalkVersion {
  readonly tenant: WalkTenant
  readonly revision: string
  readonly number: number
  /** When the change that made it was asked for. */
  readonly sentMs: number
  /** When the change that ended it was answered; not yet: infinity. */
  endedMs: number
}

/** Longer than any answer may be behind. */
const keptMs = 60_000

/** The states of one tenant, in their order: one change at a time is under way. */
export class WalkHistory {
  #versions: WalkVersion[]

  constructor(tenant: WalkTenant, revision: string) {
    this.#versions = [{ tenant, revision, number: 0, sentMs: 0, endedMs: Number.POSITIVE_INFINITY }]
  }

  get #last(): WalkVersion {
    const last = this.#versions.at(-1)
    if (last === undefined) throw new Error('a history has no state')
    return last
  }

  /** What the last answered change left. */
  get now(): WalkTenant {
    return this.#last.tenant
  }

  get revision(): string {
    return this.#last.revision
  }

  get number(): number {
    return this.#last.number
  }

  /** A change was asked for at `sentMs` and answered just now. */
  add(tenant: WalkTenant, revision: string, sentMs: number, nowMs: number): void {
    const before = this.#last
    before.endedMs = nowMs
    const kept = this.#versions.filter(({ endedMs }) => endedMs > nowMs - keptMs)
    this.#versions = [
      ...kept,
      { tenant, revision, number: before.number + 1, sentMs, endedMs: Number.POSITIVE_INFINITY },
    ]
  }

  /**
   * Every state that a server whose knowledge is no older than `staleMs` can have answered from, in a call from `startMs`
   * to `endMs`; none before the state `from`.
   */
  between(startMs: number, endMs: number, staleMs: number, from = 0): readonly WalkTenant[] {
    return this.#versions
      .filter(({ number, sentMs, endedMs }) => number >= from && sentMs <= endMs && endedMs + staleMs >= startMs)
      .map(({ tenant }) => tenant)
  }
}
