import type { EntitySchema, ObjectLiteral } from 'typeorm'
import { isTaken, notFound } from '../base/errors.ts'
import type { Ids, TenantId } from '../base/ids.ts'
import { nilUuid } from '../base/ids.ts'
import type { Database, Written } from '../storage/database.ts'
import { appendJournal } from './append-journal.ts'
import { authorityChain, chainStart } from './audit-chain.ts'
import { advanceHead, type ChangeLog, cellLedger, lockHead } from './ledger.ts'
import { pinsOf } from './pins.ts'
import { type PlatformCapability, platformBindingOf } from './platform-capability.ts'
import type { RowCodes } from './row-codes.ts'
import { createRows } from './rows.ts'
import type { Actor } from './tenant-context.ts'
import { codesOfUnit } from './unit-codes.ts'

/** A row a tenant begins with. */
export interface FirstRow<Row extends ObjectLiteral = ObjectLiteral> {
  readonly table: EntitySchema<Row>
  readonly row: Row
}

export interface NewTenant {
  readonly tenantId: TenantId
  readonly target: string
  readonly actor: Actor
  readonly time: Date
  /** The row of the head, without what the kernel keeps there. */
  readonly head: FirstRow
  readonly firstRows: readonly FirstRow[]
}

/** Every tenant begins here, with its head, its first rows and its first audit event in one transaction. */
export const firstRevision = 1

/**
 * Makes a tenant in its cell. Rolls forward only: a tenant that is there already is left as it is, so that a creation that
 * was interrupted can simply be run again.
 */
export async function provisionTenant(
  cell: Database,
  capability: PlatformCapability<'tenant-provisioning'>,
  ids: Ids,
  codes: RowCodes,
  tenant: NewTenant,
): Promise<void> {
  try {
    await insertTenant(cell, capability, ids, codes, tenant)
  } catch (error) {
    // Two servers finished the same creation at once; whoever was second finds what the first one made.
    if (!isTaken(error)) throw error
    await insertTenant(cell, capability, ids, codes, tenant)
  }
}

async function insertTenant(
  cell: Database,
  capability: PlatformCapability<'tenant-provisioning'>,
  ids: Ids,
  codes: RowCodes,
  tenant: NewTenant,
): Promise<void> {
  const { tenantId } = tenant
  const { forUpdate } = cell.rowLock
  await cell.write(platformBindingOf(capability), async (manager) => {
    // Before the head is looked for: a tenant that another server makes meanwhile has both by then, never a history alone.
    const history: unknown[] = await manager.query('SELECT sequence FROM journal WHERE tenant_id = ? LIMIT 1', [
      tenantId,
    ])
    const found = await lockHead(manager, cellLedger, tenantId, forUpdate)
    if (found !== undefined) return { value: undefined, keep: false }
    // Heads are never deleted: where there is a history, somebody took it away to have the tenant begin anew.
    if (history.length > 0) throw notFound()
    const changes: ChangeLog = []
    const kernelPart = { tenantId: tenant.tenantId, revision: 0, sequence: 0, chainHash: chainStart }
    for (const { table, row } of [
      { table: tenant.head.table, row: { ...tenant.head.row, ...kernelPart } },
      ...tenant.firstRows,
    ]) {
      const pins = pinsOf(table as EntitySchema)
      const touched = (id: string) => void changes.push([pins.table, nilUuid, id])
      await createRows(manager, table, {
        place: {},
        idProperty: pins.idProperty,
        touched,
        codes: codesOfUnit(codes),
      }).insert(row)
    }
    const head = await lockHead(manager, cellLedger, tenant.tenantId, '')
    if (head === undefined) throw new Error('the head just written is not there')
    const end = await appendJournal(manager, cellLedger, tenant.tenantId, head, {
      chain: authorityChain,
      eventId: ids.next(),
      eventTime: tenant.time,
      workspaceId: nilUuid,
      event: 'tenants.create',
      target: tenant.target,
      actor: tenant.actor,
      denied: false,
      reason: '',
      details: {},
      revision: firstRevision,
      changes,
      attemptId: ids.next(),
      idempotencyKey: null,
      requestHash: null,
      answer: null,
    })
    await advanceHead(manager, cellLedger, head, end, firstRevision)
    const wasCommitted: Written<void>['wasCommitted'] = async (later) =>
      (await lockHead(later, cellLedger, tenantId, forUpdate)) !== undefined
    return { value: undefined, keep: true, wasCommitted }
  })
}
