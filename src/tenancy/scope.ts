import type { DescMessage, MessageShape } from '@bufbuild/protobuf'
import type { EntityManager, EntitySchema, ObjectLiteral } from 'typeorm'
import type { Clock } from '../base/clock.ts'
import { notFound, TenureError } from '../base/errors.ts'
import type { Ids } from '../base/ids.ts'
import type { Database } from '../storage/database.ts'
import { type CommitsUnderWay, createCommitsUnderWay } from './commits-under-way.ts'
import { type ChangeLog, cellLedger, type Head, lockHead } from './ledger.ts'
import { insidePlace } from './place-check.ts'
import type { RowContent, Rows } from './rows.ts'
import type { TenantContext } from './tenant-context.ts'
import { tenantRows } from './tenant-rows.ts'
import { keeping, type Mutation, runUnit, type UnitCore } from './unit-of-work.ts'
import type { WriteTurns } from './write-turns.ts'

/** Why a scope may look past the one workspace of its context. A closed list: each is a decision somebody has read. */
export type AllWorkspacesPurpose = 'access-snapshot' | 'principal-removal' | 'role-removal' | 'owner-count'

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

/** The only doors to tenant tables. */
export interface Scopes {
  /** One consistent snapshot of what belongs to the context's place. */
  read<T>(context: TenantContext, work: (scope: ReadScope) => Promise<T>): Promise<T>
  /** One consistent snapshot over every workspace of the context's tenant. */
  readAllWorkspaces<T>(
    context: TenantContext,
    purpose: AllWorkspacesPurpose,
    work: (scope: ReadScope) => Promise<T>,
  ): Promise<T>
  /** One unit of work on the authority of the context's tenant: all or nothing, audited, seen by every decision after it resolves. */
  write<O extends DescMessage>(
    context: TenantContext,
    mutation: TenantMutation<O>,
    closure: (unit: Unit) => Promise<MessageShape<O>>,
  ): Promise<MessageShape<O>>
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

export interface ScopesOptions {
  readonly cell: Database
  readonly clock: Clock
  readonly ids: Ids
  readonly directoryRevision: () => number
  readonly turns: WriteTurns
  /** Resolves when decisions of this process reflect the commit. */
  readonly committed: (commit: Committed) => Promise<void>
  /** Checks an admission again, under the lock: authority may have moved on since. Throws what the admission would throw now. */
  readonly readmit: (context: TenantContext, revision: number) => Promise<void>
}

const bindingOf = (context: TenantContext, allWorkspaces: boolean) =>
  ({
    kind: 'tenant',
    tenantId: context.tenantId,
    workspaceId: context.workspaceId,
    allWorkspaces,
  }) as const

const untouched = (): void => {
  throw new Error('a read scope cannot write')
}

export function createScopes(options: ScopesOptions): Scopes {
  const underWay = createCommitsUnderWay()
  const reader = (manager: EntityManager, context: TenantContext, allWorkspaces: boolean): ReadScope => ({
    context,
    rows: (table) => tenantRows(manager, table, context, { allWorkspaces, touched: untouched }),
  })
  return {
    read: (context, work) =>
      insidePlace(context, () =>
        options.cell.read(bindingOf(context, false), (manager) => work(reader(manager, context, false))),
      ),
    readAllWorkspaces: (context, _purpose, work) =>
      insidePlace(context, () =>
        options.cell.read(bindingOf(context, true), (manager) => work(reader(manager, context, true))),
      ),
    write: async (context, mutation, closure) => {
      // One at a time: a unit that is run again sends another COMMIT only after the first came to nothing.
      let settled = (): void => undefined
      const committing = (revision: number): void => {
        settled()
        settled = underWay.begin(context.tenantId, revision)
      }
      try {
        const { answer, commit } = await options.turns.take(context.tenantId, mutation.signal, () =>
          insidePlace(context, () => writeUnit({ ...options, underWay, committing }, context, mutation, closure)),
        )
        if (commit !== undefined) await options.committed(commit)
        return answer
      } finally {
        settled()
      }
    },
  }
}

interface WriteOptions extends ScopesOptions {
  readonly underWay: CommitsUnderWay
  /** Called before the COMMIT of a revision is sent. */
  readonly committing: (revision: number) => void
}

async function writeUnit<O extends DescMessage>(
  options: WriteOptions,
  context: TenantContext,
  mutation: TenantMutation<O>,
  closure: (unit: Unit) => Promise<MessageShape<O>>,
): Promise<{ answer: MessageShape<O>; commit: Committed | undefined }> {
  const binding = bindingOf(context, mutation.allWorkspaces !== undefined)
  const { answer, made, changes, contents } = await options.cell.write(binding, async (manager) => {
    const changes: ChangeLog = []
    const contents: RowContent[] = []
    const head = await lockHead(manager, cellLedger, context.tenantId, options.cell.rowLock.forUpdate)
    if (head === undefined) throw notFound()
    checkPlacement(head, context)
    await options.underWay.settled(context.tenantId, head.revision)
    await options.readmit(context, head.revision)
    const unitResult = await runUnit(
      {
        manager,
        ledger: cellLedger,
        head,
        mutation,
        checkState: () => checkState(head, mutation),
        actor: context.actor,
        workspaceId: context.workspaceId,
        now: new Date(options.clock.nowMs()),
        ids: options.ids,
        changes,
        directoryRevision: options.directoryRevision(),
      },
      (core) => closure(unitOf(core, manager, context, changes, contents)),
    )
    if (unitResult.made !== undefined) options.committing(unitResult.made.revision)
    return { value: { ...unitResult, changes, contents }, ...keeping(unitResult, cellLedger, options.cell) }
  })
  if (made === undefined) return { answer, commit: undefined }
  const chainHash = Buffer.from(made.chainHash).toString('base64')
  return { answer, commit: { tenantId: context.tenantId, revision: made.revision, changes, contents, chainHash } }
}

function unitOf(
  core: UnitCore,
  manager: EntityManager,
  context: TenantContext,
  changes: ChangeLog,
  contents: RowContent[],
): Unit {
  const touched = (table: string, workspaceId: string, id: string, content: RowContent): void => {
    changes.push([table, workspaceId, id])
    contents.push(content)
  }
  return {
    ...core,
    context,
    rows: (table) => tenantRows(manager, table, context, { allWorkspaces: false, touched }),
    rowsOfAllWorkspaces: (table) => tenantRows(manager, table, context, { allWorkspaces: true, touched }),
  }
}

function checkPlacement(head: Head, context: TenantContext): void {
  if (head.placementEpoch === context.placementEpoch) return
  throw new TenureError('STALE', 'The tenant has moved since this call began. Repeat the call.', { retryAfterMs: 100 })
}

function checkState<O extends DescMessage>(head: Head, mutation: TenantMutation<O>): void {
  if (head.state !== 'DELETED' || mutation.onDeletedTenant === true) return
  throw new TenureError('INVALID_STATE', 'The tenant is deleted. Undelete it first.', {
    metadata: { state: 'DELETED' },
  })
}
