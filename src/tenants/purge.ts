import { create } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import type { Clock } from '../base/clock.ts'
import { TenureError } from '../base/errors.ts'
import { PurgeReceiptSchema } from '../gen/tenure/v1/purge_receipt_pb.ts'
import { KeyringError } from '../keyring/keyring-error.ts'
import type { WorkspaceSealer } from '../keyring/workspace-sealer.ts'
import type { JobAnswer, Progress } from '../operations/job.ts'
import type { OperationNotes, OperationRow } from '../operations/operation.ts'
import type { Directory } from '../tenancy/directory.ts'
import type { Table } from '../tenancy/pins.ts'
import type { PlatformCapabilities } from '../tenancy/platform-capability.ts'
import type { Rows } from '../tenancy/rows.ts'
import type { Scopes } from '../tenancy/scope.ts'
import type { TenantContext } from '../tenancy/tenant-context.ts'
import type { TenantHeadRow } from './tenant.ts'
import type { TenantDirectory } from './tenant-directory.ts'
import type { WorkspaceRow } from './workspace.ts'

/** What the jobs that purge are made of. */
export interface PurgeParts {
  readonly scopes: Scopes
  readonly directory: Directory
  readonly capabilities: PlatformCapabilities
  readonly tenants: TenantDirectory
  readonly sealer: WorkspaceSealer
  readonly clock: Clock
  /** Every table of a cell but that of the heads; that of the workspaces last: who takes a purge up finds them. */
  readonly tables: readonly Table[]
  /** What is known of the tenant's chains from checkpoints. */
  readonly forgetCheckpoints: (tenantId: string) => Promise<void>
  /** Removes some rows of the context's tenant; 0: there are none left. */
  readonly erase: (context: TenantContext, table: Table, keepFeedId?: number) => Promise<number>
}

/** How far a purge is at its end. */
export function purged(tables: number): Progress {
  return { phase: 'done', done: tables, total: tables, message: 'Everything is removed.' }
}

/** What an operation that purges was asked for with. */
export function textNote(notes: OperationNotes, key: string): string {
  const value = notes[key]
  if (typeof value !== 'string') throw new Error(`the operation lacks ${key}`)
  return value
}

/** Undefined: there is none. Throws for one that Tenure did not write: what it says must cost nobody their keys. */
export async function genuineRow<Row extends TenantHeadRow | WorkspaceRow>(
  rows: Rows<Row>,
  where: Partial<Row>,
): Promise<Row | undefined> {
  const row = await rows.find(where)
  if (row !== undefined && !rows.isGenuine(row)) throw new Error('what is to be purged is not as it was written')
  return row
}

/**
 * Throws unless it is deleted, and was deleted when the purge was asked for: whoever undeletes something and deletes it
 * anew has all of its days of grace again.
 */
export function assertPurgeStands(
  what: 'tenant' | 'workspace',
  row: { readonly state: string; readonly version: number },
  { input }: Pick<OperationRow, 'input'>,
): void {
  const { state } = row
  if (state !== 'DELETED') {
    throw new TenureError('INVALID_STATE', `The ${what} is ${state}; only a deleted one can be purged.`, {
      metadata: { state },
    })
  }
  if (row.version === input.version) return
  throw new TenureError(
    'INVALID_STATE',
    `The ${what} was undeleted after this purge was asked for, and deleted anew. Ask for another purge.`,
    { metadata: { state } },
  )
}

/** Whether there was a key. A keyring that is away is waited for, by whoever runs the job. */
export async function destroyKey(sealer: WorkspaceSealer, workspaceId: string): Promise<boolean> {
  try {
    return await sealer.destroy(workspaceId)
  } catch (error) {
    if (error instanceof KeyringError && error.reason === 'UNAVAILABLE') {
      const message = 'The keyring cannot be asked now. Try again shortly.'
      throw new TenureError('KEYRING_UNAVAILABLE', message, { cause: error })
    }
    throw error
  }
}

/** How many rows of each table are gone so far, kept in the checkpoint. */
export class RemovedRows {
  readonly #counts: Map<string, number>

  constructor(checkpoint: OperationNotes) {
    const counted = Object.entries(checkpoint).flatMap(([key, count]) =>
      key.startsWith('removed.') && typeof count === 'number' ? [[key.slice('removed.'.length), count] as const] : [],
    )
    this.#counts = new Map(counted)
  }

  add(table: string, count: number): void {
    if (count > 0) this.#counts.set(table, (this.#counts.get(table) ?? 0) + count)
  }

  get total(): number {
    return [...this.#counts.values()].reduce((sum, count) => sum + count, 0)
  }

  notes(): OperationNotes {
    return Object.fromEntries([...this.#counts].map(([table, count]) => [`removed.${table}`, count]))
  }

  receipt({ target, input }: OperationRow, uid: string, nowMs: number, destroyedKeys: number): JobAnswer {
    const collections = [...this.#counts].map(([table, count]) => ({
      collection: camelCase(table),
      count: BigInt(count),
    }))
    const message = create(PurgeReceiptSchema, {
      name: target === '' ? textNote(input, 'name') : target,
      uid,
      purgeTime: timestampFromMs(nowMs),
      removed: collections.sort((a, b) => (a.collection < b.collection ? -1 : 1)),
      destroyedKeyCount: BigInt(destroyedKeys),
    })
    return { schema: PurgeReceiptSchema, message }
  }
}

function camelCase(table: string): string {
  return table.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())
}
