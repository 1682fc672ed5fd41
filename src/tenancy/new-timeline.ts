import type { EntityManager } from 'typeorm'
import type { Clock } from '../base/clock.ts'
import { type Ids, nilUuid, platformTenantId } from '../base/ids.ts'
import type { Database } from '../storage/database.ts'
import { appendJournal } from './append-journal.ts'
import { authorityChain } from './audit-chain.ts'
import { advanceHead, cellLedger, directoryLedger, isCommitted, type Ledger, lockHead } from './ledger.ts'
import { type PlatformCapability, platformBindingOf } from './platform-capability.ts'
import type { Actor } from './tenant-context.ts'

export interface NewTimelineOptions {
  readonly directory: Database
  readonly cell: Database
  readonly capability: PlatformCapability<'restore'>
  readonly clock: Clock
  readonly ids: Ids
  readonly actor: Actor
  /** Hears after each tenant how many are done, of how many. */
  readonly progress: (done: number, of: number) => void
}

/**
 * Begins a new timeline for the platform and every tenant, each with an event in its chain: after a database was restored,
 * revisions that were handed out before may stand for changes that are no more, and are then REVISION_LOST. A head that
 * was done before an interruption gets another one; that does no harm.
 */
export async function beginNewTimelines(options: NewTimelineOptions): Promise<number> {
  const { directory, cell, capability, progress } = options
  await begin(options, directory, directoryLedger, platformTenantId)
  const tenants: string[] = await cell.read(platformBindingOf(capability), async (manager) => {
    const rows: Record<string, unknown>[] = await manager.query('SELECT tenant_id FROM tenant_heads ORDER BY tenant_id')
    return rows.map((row) => String(row.tenant_id))
  })
  for (const [at, tenantId] of tenants.entries()) {
    await begin(options, cell, cellLedger, tenantId)
    progress(at + 1, tenants.length)
  }
  return tenants.length
}

async function begin(options: NewTimelineOptions, database: Database, ledger: Ledger, tenantId: string): Promise<void> {
  const { forUpdate } = database.rowLock
  await database.write(platformBindingOf(options.capability), async (manager) => {
    const attempt = await beginOne(options, manager, ledger, tenantId, forUpdate)
    return { value: undefined, keep: true, wasCommitted: (later) => isCommitted(later, ledger, attempt, forUpdate) }
  })
}

async function beginOne(
  { clock, ids, actor }: NewTimelineOptions,
  manager: EntityManager,
  ledger: Ledger,
  tenantId: string,
  lock: string,
) {
  const head = await lockHead(manager, ledger, tenantId, lock)
  if (head === undefined) throw new Error('a head is gone')
  await manager.query(`UPDATE ${ledger.head} SET timeline_id = ? WHERE tenant_id = ?`, [ids.next(), tenantId])
  const revision = head.revision + 1
  const attemptId = ids.next()
  const end = await appendJournal(manager, ledger, tenantId, head, {
    chain: authorityChain,
    eventId: ids.next(),
    eventTime: new Date(clock.nowMs()),
    workspaceId: nilUuid,
    event: 'timelines.begin',
    target: '',
    actor,
    denied: false,
    reason: '',
    details: {},
    revision,
    changes: [],
    attemptId,
    idempotencyKey: null,
    requestHash: null,
    answer: null,
  })
  await advanceHead(manager, ledger, head, end, revision)
  return { tenantId, chain: authorityChain, sequence: end.sequence, attemptId }
}
