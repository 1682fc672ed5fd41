import type { EntityManager } from 'typeorm'
import type { Clock } from '../base/clock.ts'
import { type Ids, nilUuid, platformTenantId, type TenantId } from '../base/ids.ts'
import type { Database } from '../storage/database.ts'
import { insertInJournal, type JournalEntry, type JournalValues, journalRowsBehind } from './append-journal.ts'
import { type ChainOfTenant, lockChains, storeChains } from './chain-batch.ts'
import { type ChainEnd, cellLedger, directoryLedger, type Ledger } from './ledger.ts'
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
  /** Facts about it. Never a secret, never a person's data. */
  readonly details?: JournalEntry['details']
}

/** A fact and when it became one. */
export interface TimedFact {
  readonly fact: AccessFact
  readonly time: Date
}

/** What is to be written in the chain of one tenant, in this order. */
export interface TenantBatch {
  readonly tenantId: TenantId
  readonly sampled: readonly TimedFact[]
  /** How many were left out of them; told beside the last. */
  readonly suppressed: number
  /** Those somebody waits for. */
  readonly awaited: readonly TimedFact[]
}

export interface BatchOptions {
  readonly cell: Database
  readonly directoryDatabase: Database
  readonly capability: PlatformCapability<'access-log'>
  readonly directoryCapability: PlatformCapability<'platform-access-log'>
  readonly clock: Clock
  readonly ids: Ids
  /** Name of this server among those that share the database. */
  readonly replica: string
}

/** One transaction over all of them. Either all are tenants of the cell, or it is the platform alone. */
export async function writeBatches(options: BatchOptions, batches: readonly TenantBatch[]): Promise<void> {
  const platform = batches.some(({ tenantId }) => tenantId === platformTenantId)
  const database = platform ? options.directoryDatabase : options.cell
  const ledger: Ledger = platform ? directoryLedger : cellLedger
  const binding = platformBindingOf(platform ? options.directoryCapability : options.capability)
  const chain = `access/${options.replica}`
  const { forUpdate } = database.rowLock
  const tenantIds = batches.map(({ tenantId }) => tenantId)
  await database.write(binding, async (manager) => {
    const starts = await lockChains(manager, ledger, tenantIds, chain, forUpdate)
    const rows: JournalValues[] = []
    const ends: ChainOfTenant[] = []
    for (const [at, batch] of batches.entries()) {
      // What was kept while the database was away may be about a tenant that is gone by now, with its chains.
      const begins = starts[at]?.sequence === 0 && !platform
      if (begins && (await isPurged(manager, batch.tenantId))) continue
      const behind = journalRowsBehind(batch.tenantId, starts[at] as ChainEnd, entriesOf(options, chain, batch))
      rows.push(...behind.rows)
      ends.push({ tenantId: batch.tenantId, ...behind.end })
    }
    if (rows.length === 0) return { value: undefined, keep: false }
    await insertInJournal(manager, ledger, rows)
    await storeChains(manager, ledger, database.engine, chain, ends)
    // They stand and fall together, so that one tells for all: by its hash, because another may have taken its number since.
    const [first] = ends
    const wasCommitted = async (later: EntityManager): Promise<boolean> => {
      await lockChains(later, ledger, tenantIds.slice(0, 1), chain, forUpdate)
      const found: Record<string, unknown>[] = await later.query(
        `SELECT hash FROM ${ledger.journal} WHERE tenant_id = ? AND chain = ? AND sequence = ?`,
        [first?.tenantId, chain, first?.sequence],
      )
      const hash = found[0]?.hash
      return first !== undefined && hash instanceof Uint8Array && Buffer.from(first.chainHash).equals(hash)
    }
    return { value: undefined, keep: true, wasCommitted }
  })
}

/** A row written for a tombstone would stay for good. */
async function isPurged(manager: EntityManager, tenantId: string): Promise<boolean> {
  const rows: unknown[] = await manager.query('SELECT tenant_id FROM tenant_heads WHERE tenant_id = ? AND state = ?', [
    tenantId,
    'PURGED',
  ])
  return rows.length > 0
}

function entriesOf(
  options: BatchOptions,
  chain: string,
  { sampled, suppressed, awaited }: TenantBatch,
): JournalEntry[] {
  return [...sampled, ...awaited].map((fact, at) =>
    entryFrom(options, chain, fact, at === sampled.length - 1 && suppressed > 0 ? { suppressed } : {}),
  )
}

function entryFrom(
  { ids }: BatchOptions,
  chain: string,
  { fact, time }: TimedFact,
  more: JournalEntry['details'],
): JournalEntry {
  return {
    chain,
    eventId: ids.next(),
    eventTime: time,
    workspaceId: fact.context?.workspaceId ?? nilUuid,
    event: fact.event,
    target: fact.target.slice(0, 300),
    actor: fact.actor,
    denied: fact.denied,
    reason: fact.reason,
    details: { ...fact.details, ...more },
    revision: 0,
    changes: null,
    attemptId: null,
    idempotencyKey: null,
    requestHash: null,
    answer: null,
  }
}
