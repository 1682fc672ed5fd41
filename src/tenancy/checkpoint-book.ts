import type { EntityManager } from 'typeorm'
import { isTaken } from '../base/errors.ts'
import type { Database } from '../storage/database.ts'
import { anyOf, blocksOf, type ChainPlace, keyOf } from './chain-ends.ts'
import {
  type AuditCheckpointEndRow,
  AuditCheckpointEndTable,
  type AuditCheckpointRow,
  AuditCheckpointTable,
} from './checkpoint-tables.ts'
import { insertTuples, orUpdate } from './insert-tuples.ts'
import { assertOutsidePlaces } from './place-check.ts'
import { type PlatformCapability, platformBindingOf } from './platform-capability.ts'
import { platformScope } from './platform-scope.ts'
import type { Rows } from './rows.ts'
import { sweepRows } from './sweep-rows.ts'

/** What is known of a chain from the newest checkpoint that holds it. */
export type CheckpointEnd = Omit<AuditCheckpointEndRow, 'createTime'>

/** The checkpoints that were made, until they are outside and superseded. */
export interface CheckpointBook {
  /** The newest one; undefined before the first. */
  last(): Promise<AuditCheckpointRow | undefined>
  find(number: number): Promise<AuditCheckpointRow | undefined>
  /** In the order asked; undefined: no checkpoint holds the chain. */
  endsOf(places: readonly ChainPlace[]): Promise<(CheckpointEnd | undefined)[]>
  /** Of tenants behind the first uid up to the second; with the chains whose newest checkpoint is older than `time`. */
  endsBetween(after: string, last: string, time: Date): Promise<(CheckpointEnd & { readonly old: boolean })[]>
  /** Adds the next one and what it holds. False: another server was faster, and nothing was written. */
  append(checkpoint: AuditCheckpointRow, ends: readonly CheckpointEnd[]): Promise<boolean>
  /** Those nobody outside has, the oldest first: of that maker, and of anybody who made them before `time`. */
  unshipped(maker: string, time: Date, limit: number): Promise<AuditCheckpointRow[]>
  markShipped(number: number, time: Date): Promise<void>
  /** Deletes those that are outside, older than `time`, and that no chain needs any more. */
  sweep(time: Date): Promise<void>
  /** The tenant is no more. */
  forget(tenantId: string): Promise<void>
}

export function createCheckpointBook(
  directory: Database,
  capability: PlatformCapability<'audit-checkpoints'>,
): CheckpointBook {
  const read: InBook = (work) => {
    assertOutsidePlaces()
    return directory.read(platformBindingOf(capability), work)
  }
  const write: InBook = (work) => {
    assertOutsidePlaces()
    return directory.write(platformBindingOf(capability), async (manager) => ({
      value: await work(manager),
      keep: true,
    }))
  }
  return {
    async last() {
      const orderBy = [{ property: 'number', descending: true }]
      const [row] = await read((manager) => checkpointsIn(manager).page({ conditions: [], orderBy, limit: 1 }))
      return row
    },
    find: (number) => read((manager) => checkpointsIn(manager).find({ number })),
    endsOf: (places) => read((manager) => endsOf(manager, places)),
    endsBetween: (after, last, time) => read((manager) => endsBetween(manager, after, last, time)),
    append: (checkpoint, ends) => append(write, directory, checkpoint, ends),
    unshipped: (maker, time, limit) => read((manager) => unshipped(manager, maker, time, limit)),
    markShipped: (number, shippedTime) =>
      write(async (manager) => void (await checkpointsIn(manager).update(String(number), { shippedTime }))),
    async sweep(time) {
      // In small transactions: what came together in a busy hour must not keep the next checkpoint waiting.
      for (let left = maxSweeps; left > 0 && (await write((manager) => sweep(manager, time))); left -= 1);
    },
    forget: (tenantId) =>
      write(async (manager) => {
        await platformScope(manager, []).rows(AuditCheckpointEndTable).deleteAll({ tenantId })
      }),
  }
}

/** More than servers make in some hours, with a hundred deleted at a time. */
const maxSweeps = 1_000

/** One snapshot, or one transaction, of the directory. */
type InBook = <T>(work: (manager: EntityManager) => Promise<T>) => Promise<T>

function checkpointsIn(manager: EntityManager): Rows<AuditCheckpointRow> {
  return platformScope(manager, []).rows(AuditCheckpointTable)
}

async function append(
  write: InBook,
  directory: Database,
  checkpoint: AuditCheckpointRow,
  ends: readonly CheckpointEnd[],
): Promise<boolean> {
  try {
    await write(async (manager) => {
      // First, because its number is what two servers meet at.
      await checkpointsIn(manager).insert(checkpoint)
      await storeEnds(manager, directory, ends, checkpoint.createTime)
    })
    return true
  } catch (error) {
    if (isTaken(error)) return false
    throw error
  }
}

function unshipped(manager: EntityManager, maker: string, time: Date, limit: number): Promise<AuditCheckpointRow[]> {
  return checkpointsIn(manager).page({
    conditions: [
      { sql: 'row.shippedTime IS NULL', parameters: {} },
      { sql: '(row.maker = :maker OR row.createTime < :time)', parameters: { maker, time } },
    ],
    orderBy: [{ property: 'number', descending: false }],
    limit,
  })
}

/** Never the newest: the next one goes on from it. */
function sweep(manager: EntityManager, time: Date): Promise<boolean> {
  const unused = 'NOT EXISTS (SELECT 1 FROM audit_checkpoint_ends held WHERE held.number = row.number)'
  const newest = '(SELECT MAX(newest.number) FROM audit_checkpoints newest)'
  const old = { sql: `row.shippedTime < :time AND ${unused} AND row.number < ${newest}`, parameters: { time } }
  return sweepRows(checkpointsIn(manager), { old, idProperty: 'number', without: ['document'] })
}

const columns = 'tenant_id, chain, sequence, chain_hash, timeline_id, number'
const anyPlace = anyOf(['tenant_id', 'chain'])

async function endsOf(manager: EntityManager, places: readonly ChainPlace[]): Promise<(CheckpointEnd | undefined)[]> {
  const found = new Map<string, CheckpointEnd>()
  for (const block of blocksOf(places)) {
    const rows: Record<string, unknown>[] = await manager.query(
      `SELECT ${columns} FROM audit_checkpoint_ends WHERE ${anyPlace}`,
      block.flatMap(({ tenantId, chain }) => [tenantId, chain]),
    )
    for (const end of rows.map(endFrom)) found.set(keyOf(end), end)
  }
  return places.map((place) => found.get(keyOf(place)))
}

async function endsBetween(manager: EntityManager, after: string, last: string, time: Date) {
  const rows: Record<string, unknown>[] = await manager.query(
    `SELECT ${columns}, create_time < ? AS old FROM audit_checkpoint_ends WHERE tenant_id > ? AND tenant_id <= ?`,
    [time, after, last],
  )
  return rows.map((row) => ({ ...endFrom(row), old: Number(row.old) === 1 }))
}

function endFrom(row: Record<string, unknown>): CheckpointEnd {
  return {
    ...{ tenantId: String(row.tenant_id), chain: String(row.chain), sequence: Number(row.sequence) },
    ...{ chainHash: row.chain_hash as Uint8Array, timelineId: String(row.timeline_id), number: Number(row.number) },
  }
}

async function storeEnds(
  manager: EntityManager,
  { engine }: Database,
  ends: readonly CheckpointEnd[],
  createTime: Date,
): Promise<void> {
  const key = ['tenant_id', 'chain']
  const changed = ['sequence', 'chain_hash', 'timeline_id', 'number', 'create_time']
  await insertTuples(manager, {
    table: 'audit_checkpoint_ends',
    columns: [...key, ...changed],
    tuples: ends.map(({ tenantId, chain, sequence, chainHash, timelineId, number }) => [
      ...[tenantId, chain, sequence, chainHash, timelineId],
      ...[number, createTime],
    ]),
    otherwise: orUpdate(engine, key, changed),
  })
}
