import { type DescMessage, fromBinary, type MessageShape } from '@bufbuild/protobuf'
import type { EntityManager } from 'typeorm'
import type { Database } from '../storage/database.ts'
import { createCommitsUnderWay } from './commits-under-way.ts'
import { cellLedger, storedAnswer } from './ledger.ts'
import { insidePlace } from './place-check.ts'
import type { TenantContext } from './tenant-context.ts'
import { tenantRows } from './tenant-rows.ts'
import {
  type AllWorkspacesPurpose,
  bindingOf,
  type Committed,
  type ReadScope,
  type TenantMutation,
  type Unit,
  type UnitParts,
  writeAuthorityUnit,
  writeVolumeUnit,
} from './tenant-unit.ts'
import { codesOfReader } from './unit-codes.ts'
import type { WriteTurns } from './write-turns.ts'

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
  /** What this very request was answered with before; undefined: it was not, or names itself by no request id. */
  answered<O extends DescMessage>(
    context: TenantContext,
    mutation: TenantMutation<O>,
  ): Promise<MessageShape<O> | undefined>
  /** One unit of work on the authority of the context's tenant: all or nothing, audited, seen by every decision after it resolves. */
  write<O extends DescMessage>(
    context: TenantContext,
    mutation: TenantMutation<O>,
    closure: (unit: Unit) => Promise<MessageShape<O>>,
  ): Promise<MessageShape<O>>
  /**
   * One unit of work on what no decision depends on, in the context's workspace: all or nothing, audited in the
   * workspace's chain. Shares the tenant's head with others of its kind, and makes no revision.
   */
  writeVolume<O extends DescMessage>(
    context: TenantContext,
    mutation: TenantMutation<O>,
    closure: (unit: Unit) => Promise<MessageShape<O>>,
  ): Promise<MessageShape<O>>
}

export interface ScopesOptions extends Omit<UnitParts, 'underWay'> {
  readonly cell: Database
  readonly turns: WriteTurns
  /** Resolves when decisions of this process reflect the commit. */
  readonly committed: (commit: Committed) => Promise<void>
}

const untouched = (): void => {
  throw new Error('a read scope cannot write')
}

export function createScopes(options: ScopesOptions): Scopes {
  const underWay = createCommitsUnderWay()
  const codes = codesOfReader(options.codes)
  const reader = (manager: EntityManager, context: TenantContext, allWorkspaces: boolean): ReadScope => ({
    context,
    rows: (table) => tenantRows(manager, table, context, { allWorkspaces, touched: untouched, codes }),
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
    async answered(context, { idempotency, response }) {
      if (idempotency === undefined) return undefined
      const stored = await insidePlace(context, () =>
        options.cell.read(bindingOf(context, false), (manager) =>
          storedAnswer(manager, cellLedger, context.tenantId, idempotency),
        ),
      )
      return stored === undefined ? undefined : fromBinary(response, stored)
    },
    writeVolume: (context, mutation, closure) =>
      options.turns.take(context.tenantId, mutation.signal, () =>
        insidePlace(context, () => writeVolumeUnit({ ...options, underWay }, context, mutation, closure)),
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
          insidePlace(context, () =>
            writeAuthorityUnit({ ...options, underWay, committing }, context, mutation, closure),
          ),
        )
        if (commit !== undefined) await options.committed(commit)
        return answer
      } finally {
        settled()
      }
    },
  }
}
