import type { TenantId } from '../base/ids.ts'
import { settledWithin } from '../base/settled-within.ts'
import type { Database } from '../storage/database.ts'
import { type PlatformCapability, platformBindingOf } from './platform-capability.ts'

/** A tenant's head as it is committed. */
export interface SweptHead {
  readonly tenantId: TenantId
  readonly timelineId: string
  readonly revision: number
  readonly chainHash: string
}

export interface HeadSweepOptions {
  readonly cell: Database
  readonly capability: PlatformCapability<'change-feed'>
  readonly intervalMs: number
  /** From 0 up to 1: sweeps of many servers must not fall together. */
  readonly jitter: () => number
  readonly compare: (head: SweptHead) => Promise<void>
  /** The same for the head of the directory. */
  readonly compareDirectory: () => Promise<void>
  readonly failed: (error: unknown) => void
}

const page = 1_000
/** How long a drain waits for the sweep under way, in milliseconds. */
const lastSweepMs = 1_000

/**
 * Compares every head with what is known of it, again and again: the net under the change feed, for what no event tells,
 * like a database that was restored.
 */
export function startHeadSweep(options: HeadSweepOptions): AsyncDisposable {
  const { intervalMs, jitter, failed } = options
  let timer: NodeJS.Timeout
  let running: Promise<void> = Promise.resolve()
  let stopped = false
  const schedule = (): void => {
    if (stopped) return
    timer = setTimeout(
      () => {
        running = sweepHeads(options).then(options.compareDirectory).catch(failed).finally(schedule)
      },
      intervalMs * (0.75 + jitter() / 2),
    )
  }
  schedule()
  return {
    async [Symbol.asyncDispose]() {
      stopped = true
      clearTimeout(timer)
      await settledWithin(running, lastSweepMs)
    },
  }
}

/** One sweep over all heads of the cell. */
export async function sweepHeads({
  cell,
  capability,
  compare,
}: Pick<HeadSweepOptions, 'cell' | 'capability' | 'compare'>) {
  for (let after = ''; ; ) {
    const rows: Record<string, unknown>[] = await cell.read(platformBindingOf(capability), (manager) =>
      manager.query(
        `SELECT tenant_id, timeline_id, revision, chain_hash FROM tenant_heads WHERE tenant_id > ? ORDER BY tenant_id LIMIT ${page}`,
        [after],
      ),
    )
    for (const row of rows) await compare(headFrom(row))
    const last = rows.at(-1)
    if (last === undefined || rows.length < page) return
    after = String(last.tenant_id)
  }
}

function headFrom(row: Record<string, unknown>): SweptHead {
  return {
    tenantId: String(row.tenant_id) as TenantId,
    timelineId: String(row.timeline_id),
    revision: Number(row.revision),
    chainHash: Buffer.from(row.chain_hash as Uint8Array).toString('base64'),
  }
}
