import type { EntityManager } from 'typeorm'
import type { Clock } from '../base/clock.ts'
import { type Ids, nilUuid, platformTenantId, type TenantId } from '../base/ids.ts'
import type { Database } from '../storage/database.ts'
import {
  appendJournal,
  cellLedger,
  directoryLedger,
  type JournalEntry,
  type Ledger,
  lockChain,
  storeChain,
} from './ledger.ts'
import { type PlatformCapability, platformBindingOf } from './platform-capability.ts'
import type { Actor, TenantContext } from './tenant-context.ts'

/** One thing worth keeping that is not a change. */
export interface AccessFact {
  /** The tenant in whose chain it is kept; the nil UUID: the platform's. */
  readonly tenantId: TenantId
  readonly context: TenantContext | undefined
  readonly actor: Actor
  readonly event: string
  readonly target: string
  readonly denied: boolean
  readonly reason: string
}

/** Keeps accesses and denials in chains of this server's own: never under a head's lock, never in the way of the call. */
export interface AccessLog extends AsyncDisposable {
  record(fact: AccessFact): void
  /** Resolves when everything recorded so far is durable. */
  flush(): Promise<void>
}

export interface AccessLogOptions {
  readonly cell: Database
  readonly directoryDatabase: Database
  readonly capability: PlatformCapability<'platform-access-log'>
  readonly clock: Clock
  readonly ids: Ids
  /** Name of this server among those that share the database. */
  readonly replica: string
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

interface Pending {
  facts: { readonly fact: AccessFact; readonly time: Date }[]
  suppressed: number
}

export function createAccessLog(options: AccessLogOptions): AccessLog {
  return new BatchedLog(options)
}

class BatchedLog implements AccessLog {
  readonly #options: AccessLogOptions
  #pending = new Map<TenantId, Pending>()
  #kept = 0
  #timer: NodeJS.Timeout | undefined
  #writing: Promise<void> | undefined
  #failing = false
  #ended = false
  /** Taken to be written, and neither written nor put back. */
  #underWay: Pending | undefined

  constructor(options: AccessLogOptions) {
    this.#options = options
  }

  record(fact: AccessFact): void {
    const batch = this.#batchOf(fact.tenantId)
    // The first is always kept: the count of those left out is written with it.
    const room = batch.facts.length < maxPerBatch && this.#kept < maxKept
    if (room || batch.facts.length === 0) {
      batch.facts.push({ fact, time: new Date(this.#options.clock.nowMs()) })
      this.#kept += 1
    } else batch.suppressed += 1
    this.#flushIn(flushAfterMs)
  }

  async flush(): Promise<void> {
    // A write under way has taken its batches already; what came since is the next one's.
    await this.#writing
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#writing ??= this.#writeAll().finally(() => {
      this.#writing = undefined
    })
    await this.#writing
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const tooLong = new Promise<void>((resolve) => setTimeout(resolve, lastFlushMs).unref())
    await Promise.race([this.flush(), tooLong])
    this.#ended = true
    clearTimeout(this.#timer)
    const left = [...this.#pending.values(), ...(this.#underWay === undefined ? [] : [this.#underWay])]
    const lost = left.reduce((sum, { facts, suppressed }) => sum + facts.length + suppressed, 0)
    if (lost > 0) this.#options.failed(lost, undefined)
  }

  #flushIn(ms: number): void {
    if (!this.#ended) this.#timer ??= setTimeout(() => void this.flush(), ms)
  }

  #batchOf(tenantId: TenantId): Pending {
    const known = this.#pending.get(tenantId)
    if (known !== undefined) return known
    const batch = { facts: [], suppressed: 0 }
    this.#pending.set(tenantId, batch)
    return batch
  }

  /** What cannot be written stays, and is tried again with what came since; one failure is told of, not each. */
  async #writeAll(): Promise<void> {
    for (const [tenantId, batch] of [...this.#pending]) {
      if (this.#ended) return
      this.#pending.delete(tenantId)
      this.#underWay = batch
      try {
        await writeBatch(this.#options, tenantId, batch)
        this.#kept -= batch.facts.length
      } catch (error) {
        this.#putBack(tenantId, batch)
        if (!this.#failing) this.#options.failed(batch.facts.length + batch.suppressed, error)
        this.#failing = true
        this.#flushIn(retryAfterMs)
        return
      } finally {
        this.#underWay = undefined
      }
    }
    this.#failing = false
  }

  #putBack(tenantId: TenantId, { facts, suppressed }: Pending): void {
    const batch = this.#batchOf(tenantId)
    const all = [...facts, ...batch.facts]
    batch.facts = all.slice(0, maxPerBatch)
    batch.suppressed += suppressed + all.length - batch.facts.length
    this.#kept -= all.length - batch.facts.length
  }
}

async function writeBatch(options: AccessLogOptions, tenantId: TenantId, batch: Pending): Promise<void> {
  const platform = tenantId === platformTenantId
  const database = platform ? options.directoryDatabase : options.cell
  const ledger: Ledger = platform ? directoryLedger : cellLedger
  const binding = platform
    ? platformBindingOf(options.capability)
    : ({ kind: 'tenant', tenantId, workspaceId: nilUuid, allWorkspaces: true } as const)
  const chain = `access/${options.replica}`
  await database.write(binding, async (manager) => {
    const { isNew, ...start } = await lockChain(manager, ledger, tenantId, chain, database.rowLock.forUpdate)
    let end: { sequence: number; chainHash: Uint8Array } = start
    const last = batch.facts.length - 1
    for (const [at, { fact, time }] of batch.facts.entries()) {
      const details = at === last && batch.suppressed > 0 ? { suppressed: batch.suppressed } : {}
      end = await appendJournal(manager, ledger, tenantId, end, entryFrom(options, chain, fact, time, details))
    }
    await storeChain(manager, ledger, tenantId, chain, end, isNew)
    const wasCommitted = async (later: EntityManager): Promise<boolean> => {
      const { sequence } = await lockChain(later, ledger, tenantId, chain, database.rowLock.forUpdate)
      return sequence === end.sequence
    }
    return { value: undefined, keep: true, wasCommitted }
  })
}

function entryFrom(
  { ids }: AccessLogOptions,
  chain: string,
  fact: AccessFact,
  eventTime: Date,
  details: JournalEntry['details'],
): JournalEntry {
  return {
    chain,
    eventId: ids.next(),
    eventTime,
    workspaceId: fact.context?.workspaceId ?? nilUuid,
    event: fact.event,
    target: fact.target.slice(0, 300),
    actor: fact.actor,
    denied: fact.denied,
    reason: fact.reason,
    details,
    revision: 0,
    changes: null,
    attemptId: null,
    idempotencyKey: null,
    requestHash: null,
    answer: null,
  }
}
