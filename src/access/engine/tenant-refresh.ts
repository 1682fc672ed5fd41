import { TenureError } from '../../base/errors.ts'
import type { AlarmSink } from './engine-alarm.ts'
import type { ChangedRow, CommittedChange, FactsReader } from './facts.ts'
import type { TenantSnapshot } from './tenant-snapshot.ts'

/** From here on one whole reading is cheaper than many rows, and is one statement per table either way. */
const maxRowsPerReread = 200
/** How many commits may be taken in ahead of one that has not been heard of. */
const maxAhead = 64

export interface RefreshOptions {
  readonly reader: FactsReader
  readonly alarm: AlarmSink
  readonly onReread: (kind: 'rows' | 'whole') => void
}

/** Ahead of what can be answered now: ask again shortly, or elsewhere. */
export function stale(cause?: unknown): TenureError {
  const message = 'What is known of this tenant is older than asked for. Ask again shortly.'
  return new TenureError('STALE', message, { retryAfterMs: 100, cause })
}

/**
 * Keeps one snapshot current, one re-read at a time. A commit that arrives while a re-read is under way may be newer
 * than what that re-read sees, so it is always left to the next one.
 */
export class TenantRefresh {
  readonly snapshot: TenantSnapshot
  readonly #options: RefreshOptions
  readonly #ahead = new Set<number>()
  #changes: CommittedChange[] = []
  #goals: number[] = []
  #running: Promise<void> = Promise.resolve()
  #next: Promise<void> | undefined
  #busy = false

  constructor(snapshot: TenantSnapshot, options: RefreshOptions) {
    this.snapshot = snapshot
    this.#options = options
  }

  /** Resolves when decisions reflect the changes, or the snapshot is retired because they could not be read. */
  changed(changes: readonly CommittedChange[]): Promise<void> {
    if (changes.some((change) => this.#contradicts(change))) {
      this.snapshot.retire()
      return Promise.resolve()
    }
    // What the snapshot already has every change up to needs no second reading.
    const news = changes.filter(({ revision }) => revision > this.snapshot.revision)
    if (news.length === 0 || this.#takeOver(news)) return Promise.resolve()
    this.#changes.push(...news)
    return this.#nextRound()
  }

  /**
   * The commit behind what is known, with everything it made, needs no reading at all. Not while one is under way: that may
   * have seen the rows as they were before, and would put them back.
   */
  #takeOver([change, ...more]: readonly CommittedChange[]): boolean {
    const { tenant, revision, retired } = this.snapshot
    if (change?.facts === undefined || change.chainHash === undefined || more.length > 0) return false
    if (this.#busy || this.#next !== undefined || retired) return false
    // Nothing ahead of it is in: what was read with that may be newer than this commit.
    if (change.revision !== revision + 1 || tenant.revision !== revision) return false
    const { chainHash } = change
    this.snapshot.apply({ ...change.facts, tenant: { ...tenant, revision: change.revision, chainHash } })
    return true
  }

  /** The same revision with another hash: the database was restored, and what is known is of a history that is no more. */
  #contradicts({ revision, chainHash }: CommittedChange): boolean {
    const { tenant } = this.snapshot
    return chainHash !== undefined && revision === tenant.revision && chainHash !== tenant.chainHash
  }

  /** Resolves after one attempt to have every change up to that revision. */
  reach(revision: number): Promise<void> {
    this.#goals.push(revision)
    return this.#nextRound()
  }

  #nextRound(): Promise<void> {
    this.#next ??= this.#running.then(() => {
      this.#next = undefined
      this.#running = this.#round()
      return this.#running
    })
    return this.#next
  }

  /** Never rejects: what cannot be read retires the snapshot, so that the next question reads afresh. */
  async #round(): Promise<void> {
    const changes = this.#changes
    const goals = this.#goals
    this.#changes = []
    this.#goals = []
    if (this.snapshot.retired) return
    this.#busy = true
    try {
      await this.#catchUp(changes, goals)
    } catch (cause) {
      // Who asks for more than there is, or while nothing can be read, must not take the answer from everybody else.
      if (changes.length === 0) return
      this.snapshot.retire()
      const { tenantId } = this.snapshot.tenant
      this.#options.alarm({ kind: 'REFRESH_FAILED', tenantId, table: '', id: '', workspaceId: '', cause })
    } finally {
      this.#busy = false
    }
  }

  async #catchUp(changes: readonly CommittedChange[], goals: readonly number[]): Promise<void> {
    const { snapshot } = this
    const rows: ChangedRow[] = []
    let least = snapshot.revision
    for (const change of changes) {
      rows.push(...change.rows)
      this.#ahead.add(change.revision)
      least = Math.max(least, change.revision)
    }
    const goal = goals.some((revision) => revision > snapshot.revision)
    if (changes.length === 0 && !goal) return
    // Whoever waits for a revision waits for commits nobody has told of: the journal names what they touched.
    if (goal) return this.#readSince(least)
    if (rows.length > maxRowsPerReread) return this.#readWhole(least)
    this.#options.onReread('rows')
    const changed = await this.#options.reader.readChanged(snapshot.tenant.tenantId, rows)
    if (snapshot.retired) return
    if (changed === undefined) return snapshot.retire()
    const head = changed.tenant
    // Revisions of two timelines cannot be compared: after a restore only a whole reading says what is.
    if (head.timelineId !== snapshot.tenant.timelineId) return this.#readWhole(0)
    if (head.revision < least) throw stale()
    snapshot.apply(changed, this.#completeUpTo(snapshot.revision))
    if (this.#ahead.size > maxAhead) await this.#readWhole(snapshot.revision)
  }

  async #readSince(least: number): Promise<void> {
    const { snapshot } = this
    this.#options.onReread('rows')
    const since = await this.#options.reader.readSince(snapshot.tenant.tenantId, snapshot.revision)
    if (snapshot.retired) return
    if (since === undefined) return snapshot.retire()
    if (since === 'unknown') return this.#readWhole(least)
    const { timelineId, revision } = since.tenant
    if (timelineId !== snapshot.tenant.timelineId) return this.#readWhole(0)
    if (revision < least) throw stale()
    snapshot.apply(since, revision)
    this.#completeUpTo(revision)
  }

  async #readWhole(least: number): Promise<void> {
    this.#options.onReread('whole')
    const facts = await this.#options.reader.readTenantById(this.snapshot.tenant.tenantId)
    if (this.snapshot.retired) return
    if (facts === undefined) return this.snapshot.retire()
    if (facts.tenant.revision < least) throw stale()
    this.snapshot.replace(facts)
    this.#completeUpTo(facts.tenant.revision)
  }

  /** Commits can be heard of out of order: complete is what has no gap below it. */
  #completeUpTo(revision: number): number {
    let complete = revision
    while (this.#ahead.delete(complete + 1)) complete += 1
    for (const known of this.#ahead) if (known <= complete) this.#ahead.delete(known)
    return complete
  }
}
