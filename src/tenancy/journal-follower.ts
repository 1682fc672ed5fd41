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

export interface JournalReading {
  readonly commits: readonly JournalLine[]
  /** There is nothing more for now. */
  readonly whole: boolean
  /** More ids were passed over at once than can be kept: what they will tell is not going to be heard. */
  readonly overrun: boolean
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
/** Asked for in one statement, always of the same text. */
const gapsPerStatement = 200
/** Beyond so many something else has happened than writers that are slow. */
const maxGaps = 20_000

/** Where one reader of a journal has come to, and which ids it has passed over. */
export class JournalFollower {
  readonly #ledger: Ledger
  /** Ids that were passed over, and when. */
  readonly #gaps = new Map<number, number>()
  #newest: number
  #overrun = false

  private constructor(ledger: Ledger, newest: number) {
    this.#ledger = ledger
    this.#newest = newest
  }

  /**
   * Begins behind what is committed now: whoever loads anything must do so afterwards. Goes over the ids of the last minute
   * without delivering, so that those whose writers have not committed yet are known to be missing.
   */
  static async open(manager: EntityManager, ledger: Ledger, now: Date, nowMs: number): Promise<JournalFollower> {
    const oldest = await idBefore(manager, ledger, now.getTime() - gapLifeMs - clockSkewMs)
    const follower = new JournalFollower(ledger, oldest)
    while (!(await follower.read(manager, nowMs)).whole);
    return follower
  }

  /** What has appeared since the last reading, late ids first. `nowMs`: when the poll began, on the monotonic clock. */
  async read(manager: EntityManager, nowMs: number): Promise<JournalReading> {
    const lines = await this.#readGaps(manager, nowMs)
    const rows = await manager.query(`${this.#select} WHERE feed_id > ? ORDER BY feed_id LIMIT ${batch}`, [
      this.#newest,
    ])
    for (const row of rows) lines.push(lineFrom(row))
    for (const { feedId } of lines) this.#saw(feedId, nowMs)
    const overrun = this.#overrun
    this.#overrun = false
    return { commits: lines, whole: rows.length < batch, overrun }
  }

  get #select(): string {
    return `SELECT feed_id, tenant_id, chain, revision, changes, hash FROM ${this.#ledger.journal}`
  }

  /** Asks for every gap. One is given up only after it was asked for once more when it was old enough already. */
  async #readGaps(manager: EntityManager, nowMs: number): Promise<JournalLine[]> {
    const ids = [...this.#gaps.keys()]
    const marks = Array.from({ length: gapsPerStatement }, () => '?').join(', ')
    const lines: JournalLine[] = []
    for (let at = 0; at < ids.length; at += gapsPerStatement) {
      const asked = ids.slice(at, at + gapsPerStatement)
      const padded = Array.from({ length: gapsPerStatement }, (_, index) => asked[index] ?? asked[0])
      const rows = await manager.query(`${this.#select} WHERE feed_id IN (${marks})`, padded)
      lines.push(...rows.map(lineFrom))
    }
    const found = new Set(lines.map(({ feedId }) => feedId))
    for (const id of ids) {
      if (!found.has(id) && nowMs - (this.#gaps.get(id) ?? nowMs) > gapLifeMs) this.#gaps.delete(id)
    }
    return lines
  }

  #saw(feedId: number, nowMs: number): void {
    this.#gaps.delete(feedId)
    if (feedId <= this.#newest) return
    if (feedId - this.#newest + this.#gaps.size > maxGaps) {
      this.#gaps.clear()
      this.#overrun = true
    } else {
      for (let id = this.#newest + 1; id < feedId; id += 1) this.#gaps.set(id, nowMs)
    }
    this.#newest = feedId
  }
}

/**
 * An id so old that no writer of an earlier one can be alive. Steps back in ever larger strides from the newest, and one
 * further than the first that looks old: some events bear an earlier time than that of their writing.
 */
async function idBefore(manager: EntityManager, ledger: Ledger, timeMs: number): Promise<number> {
  const select = `SELECT feed_id, event_time FROM ${ledger.journal}`
  let rows: Record<string, unknown>[] = await manager.query(`${select} ORDER BY feed_id DESC LIMIT 1`)
  let looksOld = false
  for (let stride = batch; rows[0] !== undefined; stride *= 2) {
    const id = Number(rows[0].feed_id)
    if (looksOld) return id
    looksOld = timeMsOf(rows[0].event_time) < timeMs
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
