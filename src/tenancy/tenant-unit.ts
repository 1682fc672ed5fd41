import type { DescMessage, MessageShape } from '@bufbuild/protobuf'
import type { EntityManager, EntitySchema, ObjectLiteral } from 'typeorm'
import type { Clock } from '../base/clock.ts'
import { isTaken, notFound, TenureError } from '../base/errors.ts'
import type { Ids } from '../base/ids.ts'
import type { Database } from '../storage/database.ts'
import type { CommitsUnderWay } from './commits-under-way.ts'
import { type ChangeLog, cellLedger, type Head, lockChain, lockHead, storeChain } from './ledger.ts'
import type { RowCodes } from './row-codes.ts'
import type { RowContent, Rows } from './rows.ts'
import type { TenantContext } from './tenant-context.ts'
import { tenantRows } from './tenant-rows.ts'
import { codesOfUnit, type UnitCodes } from './unit-codes.ts'
import {
  keeping,
  type Mutation,
  orderOfAuthority,
  runUnit,
  type UnitCore,
  type UnitOrder,
  type UnitResult,
} from './unit-of-work.ts'

/** Why a scope may look past the one workspace of its context. A closed list: each is a decision somebody has read. */
export type AllWorkspacesPurpose =
  | 'access-snapshot'
  | 'principal-removal'
  | 'role-removal'
  | 'owner-count'
  | 'purge'
  | 'isolation-survey'

export interface ReadScope {
  readonly context: TenantContext
  rows<Row extends ObjectLiteral>(table: EntitySchema<Row>): Rows<Row>
}

export interface Unit extends UnitCore, ReadScope {
  /** The same transaction over every workspace of the tenant: only in a unit that was opened for it. */
  rowsOfAllWorkspaces<Row extends ObjectLiteral>(table: EntitySchema<Row>): Rows<Row>
}

export interface TenantMutation<O extends DescMessage> extends Mutation<O> {
  /** Allowed on a deleted tenant: undelete alone. */
  readonly onDeletedTenant?: boolean
  /** Set when the unit must look past the one workspace of its context. */
  readonly allWorkspaces?: AllWorkspacesPurpose
}

/** A commit, as the rest of the process hears of it before the caller does. */
export interface Committed {
  readonly tenantId: TenantContext['tenantId']
  readonly revision: number
  readonly changes: ChangeLog
  /** What became of each row of the changes. */
  readonly contents: readonly RowContent[]
  /** Of the event that was written, in base64. */
  readonly chainHash: string
}

/** What units of work are run with. */
export interface UnitParts {
  readonly cell: Database
  readonly clock: Clock
  readonly ids: Ids
  readonly directoryRevision: () => number
  readonly underWay: CommitsUnderWay
  readonly codes: RowCodes
  /** Checks an admission again, under the lock: authority may have moved on since. Throws what the admission would throw now. */
  readonly readmit: (context: TenantContext, revision: number) => Promise<void>
}

export function bindingOf(context: TenantContext, allWorkspaces: boolean) {
  const { tenantId, workspaceId } = context
  return { kind: 'tenant', tenantId, workspaceId, allWorkspaces } as const
}

export interface AuthorityParts extends UnitParts {
  /** Called before the COMMIT of a revision is sent. */
  readonly committing: (revision: number) => void
}

export async function writeAuthorityUnit<O extends DescMessage>(
  parts: AuthorityParts,
  context: TenantContext,
  mutation: TenantMutation<O>,
  closure: (unit: Unit) => Promise<MessageShape<O>>,
): Promise<{ answer: MessageShape<O>; commit: Committed | undefined }> {
  const binding = bindingOf(context, mutation.allWorkspaces !== undefined)
  const { answer, made, changes, contents } = await parts.cell.write(binding, async (manager) => {
    const head = await lockAdmitted(parts, manager, context, parts.cell.rowLock.forUpdate)
    const order = orderOfAuthority(manager, cellLedger, head)
    const unitResult = await runTenantUnit(parts, { manager, head, order, context }, mutation, closure)
    if (unitResult.made !== undefined) parts.committing(unitResult.made.revision)
    return { value: unitResult, ...keeping(unitResult, cellLedger, parts.cell) }
  })
  if (made === undefined) return { answer, commit: undefined }
  const chainHash = Buffer.from(made.chainHash).toString('base64')
  return { answer, commit: { tenantId: context.tenantId, revision: made.revision, changes, contents, chainHash } }
}

/**
 * Units of one workspace take turns at the row of its chain. The first of all has no such row to lock, and takes the
 * head's lock alone in its place: a lock that is shared is never made an exclusive one, because two of that mind would wait
 * for each other.
 */
export async function writeVolumeUnit<O extends DescMessage>(
  parts: UnitParts,
  context: TenantContext,
  mutation: TenantMutation<O>,
  closure: (unit: Unit) => Promise<MessageShape<O>>,
): Promise<MessageShape<O>> {
  try {
    return await writeVolumeOnce(parts, context, mutation, closure)
  } catch (error) {
    // The same request id may have been used in another workspace at the same time, whose chain is another; now it can be seen.
    if (!isTaken(error) || mutation.idempotency === undefined) throw error
    return await writeVolumeOnce(parts, context, mutation, closure)
  }
}

async function writeVolumeOnce<O extends DescMessage>(
  parts: UnitParts,
  context: TenantContext,
  mutation: TenantMutation<O>,
  closure: (unit: Unit) => Promise<MessageShape<O>>,
): Promise<MessageShape<O>> {
  const { forShare, forUpdate } = parts.cell.rowLock
  const written = await writeBehindChain(parts, context, mutation, closure, forShare)
  if (written !== 'no chain') return written
  const first = await writeBehindChain(parts, context, mutation, closure, forUpdate)
  if (first === 'no chain') throw new Error('a chain was asked for under the lock of its head, and not begun')
  return first
}

async function writeBehindChain<O extends DescMessage>(
  parts: UnitParts,
  context: TenantContext,
  mutation: TenantMutation<O>,
  closure: (unit: Unit) => Promise<MessageShape<O>>,
  headLock: string,
): Promise<MessageShape<O> | 'no chain'> {
  const { forUpdate } = parts.cell.rowLock
  return parts.cell.write<MessageShape<O> | 'no chain'>(bindingOf(context, false), async (manager) => {
    const head = await lockAdmitted(parts, manager, context, headLock)
    const chain = volumeChain(context.workspaceId)
    const { isNew, ...end } = await lockChain(manager, cellLedger, context.tenantId, chain, forUpdate)
    if (isNew && headLock !== forUpdate) return { value: 'no chain', keep: false }
    const order: UnitOrder = {
      ...{ chain, end, revision: head.revision, makesRevision: false },
      advance: (next) => storeChain(manager, cellLedger, context.tenantId, chain, next, isNew),
    }
    const unitResult = await runTenantUnit(parts, { manager, head, order, context }, mutation, closure)
    return { value: unitResult.answer, ...keeping(unitResult, cellLedger, parts.cell) }
  })
}

/** The chain of what happens in one workspace and no decision depends on. */
function volumeChain(workspaceId: string): string {
  return `workspace/${workspaceId}`
}

/** The head, with its lock, of a caller who may still do what they were admitted to. */
async function lockAdmitted(
  parts: UnitParts,
  manager: EntityManager,
  context: TenantContext,
  lock: string,
): Promise<Head> {
  const head = await lockHead(manager, cellLedger, context.tenantId, lock)
  if (head === undefined) throw notFound()
  checkPlacement(head, context)
  await parts.underWay.settled(context.tenantId, head.revision)
  await parts.readmit(context, head.revision)
  return head
}

interface Place {
  readonly manager: EntityManager
  readonly head: Head
  readonly order: UnitOrder
  readonly context: TenantContext
}

async function runTenantUnit<O extends DescMessage>(
  { clock, ids, directoryRevision, codes }: UnitParts,
  { manager, head, order, context }: Place,
  mutation: TenantMutation<O>,
  closure: (unit: Unit) => Promise<MessageShape<O>>,
): Promise<UnitResult<O> & { readonly changes: ChangeLog; readonly contents: RowContent[] }> {
  const changes: ChangeLog = []
  const contents: RowContent[] = []
  const unitResult = await runUnit(
    {
      ...{ manager, ledger: cellLedger, head, order, mutation, ids, changes },
      checkState: () => checkState(head, mutation),
      actor: context.actor,
      workspaceId: context.workspaceId,
      now: new Date(clock.nowMs()),
      directoryRevision: directoryRevision(),
    },
    (core) => closure(unitOf(core, manager, context, codesOfUnit(codes), { changes, contents })),
  )
  return { ...unitResult, changes, contents }
}

function unitOf(
  core: UnitCore,
  manager: EntityManager,
  context: TenantContext,
  codes: UnitCodes,
  { changes, contents }: { readonly changes: ChangeLog; readonly contents: RowContent[] },
): Unit {
  const touched = (table: string, workspaceId: string, id: string, content: RowContent): void => {
    changes.push([table, workspaceId, id])
    contents.push(content)
  }
  return {
    ...core,
    context,
    rows: (table) => tenantRows(manager, table, context, { allWorkspaces: false, touched, codes }),
    rowsOfAllWorkspaces: (table) => tenantRows(manager, table, context, { allWorkspaces: true, touched, codes }),
  }
}

function checkPlacement(head: Head, context: TenantContext): void {
  if (head.placementEpoch === context.placementEpoch) return
  throw new TenureError('STALE', 'The tenant has moved since this call began. Repeat the call.', { retryAfterMs: 100 })
}

function checkState<O extends DescMessage>(head: Head, mutation: TenantMutation<O>): void {
  if (head.state === 'PURGED') throw notFound()
  if (head.state !== 'DELETED' || mutation.onDeletedTenant === true) return
  throw new TenureError('INVALID_STATE', 'The tenant is deleted. Undelete it first.', {
    metadata: { state: 'DELETED' },
  })
}
