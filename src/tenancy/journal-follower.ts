import type { EntityManager } from 'typeorm'
import type { TenantId } from '../base/ids.ts'
import type { Ledger } from './ledger.ts'

/** A committed change of authority as the journal tells of it. */
export interface JournalCommit {
  readonly tenantId: TenantId
  readonly revision: number
  readonly changes: readonly (readonly [table: string, workspaceId: string, id: string])[]
  /** Hash of the event: the head's chain hash at that revision. */
  readonly chainHash: string
}

interface JournalLine extends JournalCommit {
  readonly feedId: number
  readonly chain: string
}

const batch = 1_000
/**
 * Ids are drawn when a row is written and seen when it commits: a lower id can appear after a higher one. A gap is asked
 * for again until it appears or is older than any transaction can live: 30 seconds after its last statement the server
 * ends a writer by itself, whatever became of the process and of the network between.
 */
const gapLifeMs = 40_000
/** How far the clocks of two servers may be apart. */
const clockSkewMs = 60_000
/** Gaps asked for at once; more of them are the trace of one broken burst, and each is asked for in its turn. */
const gapsPerPoll = 200

/** Where one reader of a journal has come to, and which ids it has passed over. */
export class JournalFollower {
  readonly #ledger: Ledger
  /** Ids that were passed over, and when. */
  readonly #gaps = new Map<number, number>()
  #newest: number

  private constructor(ledger: Ledger, newest: number) {
    this.#ledger = ledger
    this.#newest = newest
  }

  /**
   * Begins behind what is committed now: whoever loads anything must do so afterwards. Goes over the ids of the last minute
   * without delivering, so that those whose writers have not committed yet are known to be missing.
   */
  static async open(manager: EntityManager, ledger: Ledger, now: Date, nowMs: number): Promise<JournalFollower> {
    const follower = new JournalFollower(
      ledger,
      await idBefore(manager, ledger, now.getTime() - gapLifeMs - clockSkewMs),
    )
    while (!(await follower.read(manager, nowMs)).whole);
    return follower
  }

  /** What has appeared since the last reading, late ids first. `whole`: there is nothing more for now. */
  async read(
    manager: EntityManager,
    nowMs: number,
  ): Promise<{ readonly commits: JournalLine[]; readonly whole: boolean }> {
    for (const [id, sinceMs] of this.#gaps) if (nowMs - sinceMs > gapLifeMs) this.#gaps.delete(id)
    const select = `SELECT feed_id, tenant_id, chain, revision, changes, hash FROM ${this.#ledger.journal}`
    const late = [...this.#gaps.keys()].slice(0, gapsPerPoll)
    const lines: JournalLine[] = []
    if (late.length > 0) {
      const rows = await manager.query(`${select} WHERE feed_id IN (${late.map(() => '?').join(', ')})`, late)
      lines.push(...rows.map(lineFrom))
      // To the end, so that the next poll asks for others where there are more than can be asked for at once.
      for (const id of late) this.#requeue(id)
    }
    const rows = await manager.query(`${select} WHERE feed_id > ? ORDER BY feed_id LIMIT ${batch}`, [this.#newest])
    lines.push(...rows.map(lineFrom))
    for (const { feedId } of lines) this.#saw(feedId, nowMs)
    return { commits: lines, whole: rows.length < batch }
  }

  #requeue(id: number): void {
    const sinceMs = this.#gaps.get(id)
    if (sinceMs === undefined) return
    this.#gaps.delete(id)
    this.#gaps.set(id, sinceMs)
  }

  #saw(feedId: number, nowMs: number): void {
    this.#gaps.delete(feedId)
    if (feedId <= this.#newest) return
    for (let id = this.#newest + 1; id < feedId; id += 1) this.#gaps.set(id, nowMs)
    this.#newest = feedId
  }
}

/** An id so old that no writer of an earlier one can be alive. Steps back in ever larger strides from the newest. */
async function idBefore(manager: EntityManager, ledger: Ledger, timeMs: number): Promise<number> {
  const select = `SELECT feed_id, event_time FROM ${ledger.journal}`
  let rows: Record<string, unknown>[] = await manager.query(`${select} ORDER BY feed_id DESC LIMIT 1`)
  for (let stride = batch; rows[0] !== undefined; stride *= 2) {
    const id = Number(rows[0].feed_id)
    if (timeMsOf(rows[0].event_time) < timeMs) return id
    rows = await manager.query(`${select} WHERE feed_id <= ? ORDER BY feed_id DESC LIMIT 1`, [id - stride])
  }
  return 0
}

/** MySQL answers a Date, SQLite the text that was stored. */
function timeMsOf(stored: unknown): number {
  return stored instanceof Date ? stored.getTime() : Date.parse(`${String(stored).replace(' ', 'T')}Z`)
}

function lineFrom(row: Record<string, unknown>): JournalLine {
  return {
    feedId: Number(row.feed_id),
    chain: String(row.chain),
    tenantId: String(row.tenant_id) as TenantId,
    revision: Number(row.revision),
    changes: row.changes === null ? [] : JSON.parse(String(row.changes)),
    chainHash: Buffer.from(row.hash as Uint8Array).toString('base64'),
  }
}
