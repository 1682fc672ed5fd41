import { TenureError } from '../base/errors.ts'
import type { TenantId } from '../base/ids.ts'
import { type AccessFact, type BatchOptions, type TimedFact, writeBatch } from './access-batch.ts'

/** Keeps accesses and denials in chains of this server's own: never under a head's lock, never in the way of other calls. */
export interface AccessLog extends AsyncDisposable {
  /** In the background, bounded; what is beyond the bound is counted. */
  record(fact: AccessFact): void
  /**
   * Resolves when the fact is durable, with others that came at the same time: nothing that it is about may leave before.
   * Rejects when it cannot be written now, and then does not keep it.
   */
  recordDurably(fact: AccessFact): Promise<void>
  /** Resolves when everything recorded so far is durable. */
  flush(): Promise<void>
}

export interface AccessLogOptions extends BatchOptions {
  /** Called with how many events could not be written, once for each time the database is away; without an error: they are lost. */
  readonly failed: (count: number, error: unknown) => void
}

const flushAfterMs = 200
/** Per tenant and batch; what is beyond it under attack is counted, not kept. */
const maxPerBatch = 100
/** Over all tenants, while the database cannot be written to; what is beyond it is counted, not kept. */
const maxKept = 20_000
const retryAfterMs = 1_000
/** A drain does not wait for a database that is away. */
const lastFlushMs = 3_000
/** Awaited facts in one transaction: some milliseconds of statements. */
const maxAwaitedPerBatch = 256
/** Awaited facts over all tenants; beyond it a caller is told to come back. */
const maxAwaited = 5_000

interface Awaited extends TimedFact {
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/** What is to be written in the chain of one tenant: one transaction at a time, because its row is locked. */
interface Lane {
  facts: TimedFact[]
  suppressed: number
  awaited: Awaited[]
  writing: Promise<void> | undefined
}

export function createAccessLog(options: AccessLogOptions): AccessLog {
  return new BatchedLog(options)
}

class BatchedLog implements AccessLog {
  readonly #options: AccessLogOptions
  readonly #lanes = new Map<TenantId, Lane>()
  #kept = 0
  #awaited = 0
  #timer: NodeJS.Timeout | undefined
  #flushing: Promise<void> | undefined
  #failing = false
  #ended = false
  /** Taken to be written, and neither written nor put back. */
  #underWay = 0

  constructor(options: AccessLogOptions) {
    this.#options = options
  }

  record(fact: AccessFact): void {
    const lane = this.#laneOf(fact.tenantId)
    // The first is always kept: the count of those left out is written with it.
    const room = lane.facts.length < maxPerBatch && this.#kept < maxKept
    if (room || lane.facts.length === 0) {
      lane.facts.push({ fact, time: this.#now() })
      this.#kept += 1
    } else lane.suppressed += 1
    this.#flushIn(flushAfterMs)
  }

  recordDurably(fact: AccessFact): Promise<void> {
    if (this.#ended) return Promise.reject(goingAway())
    if (this.#awaited >= maxAwaited) return Promise.reject(tooMany())
    const lane = this.#laneOf(fact.tenantId)
    this.#awaited += 1
    return new Promise<void>((resolve, reject) => {
      lane.awaited.push({ fact, time: this.#now(), resolve, reject })
      // Whoever comes while this one is written goes together with the next.
      if (lane.writing === undefined) void this.#write(fact.tenantId, lane).catch(() => undefined)
    }).finally(() => {
      this.#awaited -= 1
    })
  }

  async flush(): Promise<void> {
    // A flush under way has taken its batches already; what came since is the next one's.
    await this.#flushing
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#flushing ??= this.#writeAll().finally(() => {
      this.#flushing = undefined
    })
    await this.#flushing
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const tooLong = new Promise<void>((resolve) => setTimeout(resolve, lastFlushMs).unref())
    await Promise.race([this.flush(), tooLong])
    this.#ended = true
    clearTimeout(this.#timer)
    let lost = this.#underWay
    for (const { facts, suppressed, awaited } of this.#lanes.values()) {
      lost += facts.length + suppressed
      for (const { reject } of awaited) reject(goingAway())
    }
    if (lost > 0) this.#options.failed(lost, undefined)
  }

  #now(): Date {
    return new Date(this.#options.clock.nowMs())
  }

  #flushIn(ms: number): void {
    if (!this.#ended) this.#timer ??= setTimeout(() => void this.flush(), ms)
  }

  #laneOf(tenantId: TenantId): Lane {
    const known = this.#lanes.get(tenantId)
    if (known !== undefined) return known
    const lane: Lane = { facts: [], suppressed: 0, awaited: [], writing: undefined }
    this.#lanes.set(tenantId, lane)
    return lane
  }

  /** What cannot be written stays, and is tried again with what came since; one failure is told of, not each. */
  async #writeAll(): Promise<void> {
    for (const [tenantId, lane] of [...this.#lanes]) {
      if (this.#ended) return
      await lane.writing?.catch(() => undefined)
      try {
        if (lane.facts.length > 0) await this.#write(tenantId, lane)
      } catch {
        this.#flushIn(retryAfterMs)
        return
      }
    }
    this.#failing = false
  }

  #write(tenantId: TenantId, lane: Lane): Promise<void> {
    lane.writing = this.#writeLane(tenantId, lane).finally(() => {
      lane.writing = undefined
      if (lane.awaited.length > 0 && !this.#ended) void this.#write(tenantId, lane).catch(() => undefined)
      else if (lane.facts.length === 0) this.#lanes.delete(tenantId)
    })
    return lane.writing
  }

  /** One transaction. Rejects where it failed, with everything put back or told. */
  async #writeLane(tenantId: TenantId, lane: Lane): Promise<void> {
    const { facts, suppressed } = lane
    lane.facts = []
    lane.suppressed = 0
    const awaited = lane.awaited.splice(0, maxAwaitedPerBatch)
    const count = facts.length + suppressed
    this.#underWay += count
    try {
      await writeBatch(this.#options, tenantId, facts, suppressed, awaited)
      this.#kept -= facts.length
      for (const { resolve } of awaited) resolve()
    } catch (error) {
      this.#putBack(lane, facts, suppressed)
      for (const { reject } of awaited) reject(error)
      if (count > 0 && !this.#failing) this.#options.failed(count, error)
      if (count > 0) this.#failing = true
      if (count > 0) this.#flushIn(retryAfterMs)
      throw error
    } finally {
      this.#underWay -= count
    }
  }

  #putBack(lane: Lane, facts: readonly TimedFact[], suppressed: number): void {
    const all = [...facts, ...lane.facts]
    lane.facts = all.slice(0, maxPerBatch)
    lane.suppressed += suppressed + all.length - lane.facts.length
    this.#kept -= all.length - lane.facts.length
  }
}

function goingAway(): TenureError {
  return new TenureError('SHUTTING_DOWN', 'This server is going away. Repeat the call; another one answers.')
}

function tooMany(): TenureError {
  return new TenureError('OVERLOADED', 'Too many accesses wait to be written down. Repeat the call in a second.', {
    retryAfterMs: 1_000,
  })
}
