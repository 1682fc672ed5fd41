import type { EntityManager } from 'typeorm'
import type { Clock } from '../base/clock.ts'
import { type Ids, nilUuid, platformTenantId, type TenantId } from '../base/ids.ts'
import type { Database } from '../storage/database.ts'
import { appendAllToJournal, type JournalEntry } from './append-journal.ts'
import { cellLedger, directoryLedger, type Ledger, lockChain, storeChain } from './ledger.ts'
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

export interface BatchOptions {
  readonly cell: Database
  readonly directoryDatabase: Database
  readonly capability: PlatformCapability<'platform-access-log'>
  readonly clock: Clock
  readonly ids: Ids
  /** Name of this server among those that share the database. */
  readonly replica: string
}

/**
 * Writes facts of one tenant in one transaction, in their order: those that were sampled, with how many were left out of
 * them told beside the last, and then those somebody waits for.
 */
export async function writeBatch(
  options: BatchOptions,
  tenantId: TenantId,
  sampled: readonly TimedFact[],
  suppressed: number,
  awaited: readonly TimedFact[],
): Promise<void> {
  const platform = tenantId === platformTenantId
  const database = platform ? options.directoryDatabase : options.cell
  const ledger: Ledger = platform ? directoryLedger : cellLedger
  const binding = platform
    ? platformBindingOf(options.capability)
    : ({ kind: 'tenant', tenantId, workspaceId: nilUuid, allWorkspaces: true } as const)
  const chain = `access/${options.replica}`
  const { forUpdate } = database.rowLock
  await database.write(binding, async (manager) => {
    const { isNew, ...start } = await lockChain(manager, ledger, tenantId, chain, forUpdate)
    const entries = [...sampled, ...awaited].map((fact, at) =>
      entryFrom(options, chain, fact, at === sampled.length - 1 && suppressed > 0 ? { suppressed } : {}),
    )
    const end = await appendAllToJournal(manager, ledger, tenantId, start, entries)
    await storeChain(manager, ledger, tenantId, chain, end, isNew)
    const wasCommitted = async (later: EntityManager): Promise<boolean> => {
      const { sequence } = await lockChain(later, ledger, tenantId, chain, forUpdate)
      return sequence === end.sequence
    }
    return { value: undefined, keep: true, wasCommitted }
  })
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
