import { isAway, TenureError } from '../base/errors.ts'
import { platformTenantId, type TenantId } from '../base/ids.ts'
import { settledWithin } from '../base/settled-within.ts'
import { type AccessFact, type BatchOptions, type TenantBatch, type TimedFact, writeBatches } from './access-batch.ts'

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
/** In one transaction: some milliseconds of statements. */
const maxAwaitedPerBatch = 256
const maxTenantsPerBatch = 64
/** Transactions for facts that are waited for; with a second one under way, those that come meanwhile need not wait for two. */
const maxWriters = 2
/** Awaited facts over all tenants; beyond it a caller is told to come back. */
const maxAwaited = 5_000

interface Awaited extends TimedFact {
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/** What is to be written in the chain of one tenant: in one transaction at a time, because its row is locked. */
interface Lane {
  readonly tenantId: TenantId
  facts: TimedFact[]
  suppressed: number
  awaited: Awaited[]
  writing: Promise<void> | undefined
  /** Goes by itself: the platform's is in another database, and one that failed among others must not fail them again. */
  alone: boolean
}

/** What one transaction takes out of a lane. */
interface Load {
  readonly lane: Lane
  readonly facts: readonly TimedFact[]
  readonly suppressed: number
  readonly awaited: readonly Awaited[]
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
  /** Transactions under way for those who wait. */
  #writers = 0
  #kicked = false

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
      this.#kick()
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
    await settledWithin(this.flush(), lastFlushMs)
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
    const lane: Lane = {
      tenantId,
      facts: [],
      suppressed: 0,
      awaited: [],
      writing: undefined,
      alone: tenantId === platformTenantId,
    }
    this.#lanes.set(tenantId, lane)
    return lane
  }

  /** What cannot be written stays, and is tried again with what came since; one failure is told of, not each. */
  async #writeAll(): Promise<void> {
    let failed = false
    for (const lane of [...this.#lanes.values()]) {
      if (this.#ended) return
      // Whoever waits may have begun another by the time this one is done.
      while (lane.writing !== undefined) await lane.writing.catch(() => undefined)
      try {
        if (lane.facts.length > 0) await this.#write([lane], true)
      } catch (error) {
        this.#flushIn(retryAfterMs)
        if (isAway(error)) return
        failed = true
      }
    }
    if (!failed) this.#failing = false
  }

  /** Begins a transaction for those who wait, with the next turn of the loop: who asks at the same time goes along. */
  #kick(): void {
    if (this.#kicked || this.#writers >= maxWriters) return
    this.#kicked = true
    setImmediate(() => {
      this.#kicked = false
      void this.#writeAwaited()
    })
  }

  async #writeAwaited(): Promise<void> {
    const lanes = this.#waiting()
    if (lanes.length === 0 || this.#ended) return
    this.#writers += 1
    // Without what nobody waits for: who is denied often must not slow those down who are given something.
    await this.#write(lanes, false).catch(() => undefined)
    this.#writers -= 1
    this.#kick()
  }

  /** Lanes that somebody waits for, those first that were not written for the longest time. */
  #waiting(): Lane[] {
    const waiting: Lane[] = []
    for (const lane of this.#lanes.values()) {
      if (lane.awaited.length === 0 || lane.writing !== undefined) continue
      if (lane.alone) {
        if (waiting.length === 0) return [lane]
        continue
      }
      waiting.push(lane)
      if (waiting.length === maxTenantsPerBatch) break
    }
    return waiting
  }

  #write(lanes: readonly Lane[], sampled: boolean): Promise<void> {
    if (lanes.some((lane) => lane.writing !== undefined)) throw new Error('two transactions for one chain')
    const writing = this.#writeLoads(lanes.map((lane) => this.#take(lane, lanes.length, sampled))).finally(() => {
      for (const lane of lanes) {
        lane.writing = undefined
        this.#lanes.delete(lane.tenantId)
        // Behind all others: no tenant keeps the next one waiting.
        if (lane.facts.length > 0 || lane.awaited.length > 0) this.#lanes.set(lane.tenantId, lane)
      }
      this.#kick()
    })
    for (const lane of lanes) lane.writing = writing
    return writing
  }

  #take(lane: Lane, among: number, sampled: boolean): Load {
    const { facts, suppressed } = sampled ? lane : { facts: [], suppressed: 0 }
    lane.facts = sampled ? [] : lane.facts
    lane.suppressed -= suppressed
    const share = Math.max(1, Math.floor(maxAwaitedPerBatch / among))
    return { lane, facts, suppressed, awaited: lane.awaited.splice(0, share) }
  }

  /** One transaction. Rejects where it failed, with everything put back or told. */
  async #writeLoads(loads: readonly Load[]): Promise<void> {
    const count = loads.reduce((sum, { facts, suppressed }) => sum + facts.length + suppressed, 0)
    this.#underWay += count
    try {
      await writeBatches(this.#options, loads.map(batchFrom))
      for (const { facts, awaited } of loads) {
        this.#kept -= facts.length
        for (const { resolve } of awaited) resolve()
      }
    } catch (error) {
      for (const load of loads) this.#giveBack(load, error, loads.length === 1 || isAway(error))
      if (count > 0 && !this.#failing) this.#options.failed(count, error)
      if (count > 0) this.#failing = true
      if (count > 0) this.#flushIn(retryAfterMs)
      throw error
    } finally {
      this.#underWay -= count
    }
  }

  /** `final`: those who wait are told; otherwise they wait for a try of their own. */
  #giveBack({ lane, facts, suppressed, awaited }: Load, error: unknown, final: boolean): void {
    this.#putBack(lane, facts, suppressed)
    lane.alone = !final || lane.tenantId === platformTenantId
    if (final) for (const { reject } of awaited) reject(error)
    else lane.awaited.unshift(...awaited)
  }

  #putBack(lane: Lane, facts: readonly TimedFact[], suppressed: number): void {
    const all = [...facts, ...lane.facts]
    lane.facts = all.slice(0, maxPerBatch)
    lane.suppressed += suppressed + all.length - lane.facts.length
    this.#kept -= all.length - lane.facts.length
  }
}

function batchFrom({ lane, facts, suppressed, awaited }: Load): TenantBatch {
  return { tenantId: lane.tenantId, sampled: facts, suppressed, awaited }
}

function goingAway(): TenureError {
  return new TenureError('SHUTTING_DOWN', 'This server is going away. Repeat the call; another one answers.')
}

function tooMany(): TenureError {
  return new TenureError('OVERLOADED', 'Too many accesses wait to be written down. Repeat the call in a second.', {
    retryAfterMs: 1_000,
  })
}
