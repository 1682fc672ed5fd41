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
  /** Called with how many events a failed batch lost, and why. */
  readonly failed: (count: number, error: unknown) => void
}

const flushAfterMs = 200
/** Per tenant and batch; what is beyond it under attack is counted, not kept. */
const maxPerBatch = 100

interface Pending {
  readonly facts: { readonly fact: AccessFact; readonly time: Date }[]
  suppressed: number
}

export function createAccessLog(options: AccessLogOptions): AccessLog {
  let pending = new Map<TenantId, Pending>()
  let timer: NodeJS.Timeout | undefined
  let writing: Promise<void> = Promise.resolve()

  const write = async (batches: Map<TenantId, Pending>): Promise<void> => {
    for (const [tenantId, batch] of batches) {
      try {
        await writeBatch(options, tenantId, batch)
      } catch (error) {
        options.failed(batch.facts.length + batch.suppressed, error)
      }
    }
  }
  const flush = (): Promise<void> => {
    clearTimeout(timer)
    timer = undefined
    const batches = pending
    pending = new Map()
    if (batches.size > 0) writing = writing.then(() => write(batches))
    return writing
  }
  return {
    record(fact) {
      const batch = pending.get(fact.tenantId) ?? { facts: [], suppressed: 0 }
      pending.set(fact.tenantId, batch)
      if (batch.facts.length < maxPerBatch) batch.facts.push({ fact, time: new Date(options.clock.nowMs()) })
      else batch.suppressed += 1
      timer ??= setTimeout(() => void flush(), flushAfterMs)
    },
    flush,
    async [Symbol.asyncDispose]() {
      await flush()
    },
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
    return { value: undefined, keep: true }
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
