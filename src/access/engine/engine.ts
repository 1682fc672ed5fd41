import { LRUCache } from 'lru-cache'
import type { Clock } from '../../base/clock.ts'
import type { TenantId } from '../../base/ids.ts'
import { BindingBudget } from './binding-cache.ts'
import type { PermissionCatalogue } from './catalogue.ts'
import type { AlarmSink } from './engine-alarm.ts'
import type { CommittedChange, FactsReader, HeadFact, TenantFacts } from './facts.ts'
import { TenantLoad } from './tenant-load.ts'
import { stale, TenantRefresh } from './tenant-refresh.ts'
import { TenantSnapshot } from './tenant-snapshot.ts'

export interface EngineOptions {
  readonly reader: FactsReader
  readonly catalogue: PermissionCatalogue
  readonly clock: Clock
  /** How many tenants are kept in memory; the least recently asked about goes first. */
  readonly maxTenants: number
  /** How many compiled bindings are kept over all tenants, at some 500 bytes each. */
  readonly maxBindings?: number
  readonly alarm: AlarmSink
  /** Part of every revision token. */
  readonly directoryRevision: () => number
}

export interface EngineStats {
  readonly tenants: number
  readonly compiledBindings: number
  readonly loads: number
  readonly slowestLoadMs: number
  readonly rowRereads: number
  readonly wholeRereads: number
}

type Sooner<Value> = Value | Promise<Value>

/** Keeps tenants compiled in memory and current. Deciding is `decide` with a snapshot got from here, in the same turn. */
export interface Engine {
  /** At once when the tenant is in memory. Undefined when there is none; that is never remembered, it may be created the next moment. */
  snapshotBySlug(slug: string): Sooner<TenantSnapshot | undefined>
  snapshotById(tenantId: TenantId): Sooner<TenantSnapshot | undefined>
  /** To be called for every commit, after it. Resolves when decisions reflect it; never rejects. */
  committed(change: CommittedChange): Promise<void>
  /** Resolves when decisions reflect every change up to the revision; else fails with STALE. */
  atLeast(tenantId: TenantId, revision: number): Sooner<void>
  /** Compares what is known with a head just read: catches up where it is behind, forgets what is of another history. Resolves when done. */
  compareHead(head: HeadFact): Promise<void>
  /** Forgets what is known of a tenant. Due after a restore: revisions of two timelines cannot be compared, so commits after it would pass for old news. */
  drop(tenantId: TenantId): void
  /** Forgets every tenant: due when changes may have been missed and nobody knows whose. */
  dropAll(): void
  /** Frees what was compiled at the catalogue's old version at once; decisions follow the catalogue by themselves. */
  catalogueChanged(): void
  stats(): EngineStats
}

const defaultMaxBindings = 200_000

export function createEngine(options: EngineOptions): Engine {
  return new SnapshotEngine(options)
}

class SnapshotEngine implements Engine {
  readonly #options: EngineOptions
  readonly #budget: BindingBudget
  readonly #idBySlug = new Map<string, TenantId>()
  readonly #tenants: LRUCache<TenantId, TenantRefresh>
  readonly #loadsBySlug = new Map<string, TenantLoad>()
  readonly #loadsById = new Map<TenantId, TenantLoad>()
  #loads = 0
  #slowestLoadMs = 0
  #rowRereads = 0
  #wholeRereads = 0

  constructor(options: EngineOptions) {
    this.#options = options
    this.#budget = new BindingBudget(options.maxBindings ?? defaultMaxBindings, (enough) => this.#makeRoom(enough))
    this.#tenants = new LRUCache<TenantId, TenantRefresh>({
      max: options.maxTenants,
      // Whoever still holds what is no longer kept current must not decide by it.
      dispose: ({ snapshot }) => {
        snapshot.retire()
        this.#idBySlug.delete(snapshot.tenant.slug)
      },
    })
  }

  snapshotBySlug(slug: string): Sooner<TenantSnapshot | undefined> {
    const id = this.#idBySlug.get(slug)
    const warm = id === undefined ? undefined : this.#warm(id)
    return warm ?? this.#join(this.#loadsBySlug, slug, undefined, () => this.#options.reader.readTenantBySlug(slug))
  }

  snapshotById(tenantId: TenantId): Sooner<TenantSnapshot | undefined> {
    const warm = this.#warm(tenantId)
    return warm ?? this.#join(this.#loadsById, tenantId, tenantId, () => this.#options.reader.readTenantById(tenantId))
  }

  async committed(change: CommittedChange): Promise<void> {
    for (const load of this.#loadsBySlug.values()) load.committed(change)
    this.#loadsById.get(change.tenantId)?.committed(change)
    await this.#tenants.peek(change.tenantId)?.changed([change])
  }

  atLeast(tenantId: TenantId, revision: number): Sooner<void> {
    const warm = this.#warm(tenantId)
    if (warm !== undefined && warm.revision >= revision) return undefined
    return this.#reach(tenantId, revision)
  }

  async compareHead(head: HeadFact): Promise<void> {
    const refresh = this.#tenants.peek(head.tenantId)
    if (refresh === undefined || refresh.snapshot.retired) return
    const { tenant, revision } = refresh.snapshot
    if (tenant.timelineId !== head.timelineId) return this.drop(head.tenantId)
    if (tenant.revision === head.revision && tenant.chainHash !== head.chainHash) return this.drop(head.tenantId)
    if (revision < head.revision) return refresh.reach(head.revision)
    if (tenant.revision <= head.revision) return
    // Behind what is known here: read before a commit that is known by now, or of a history that was cut back. Heads never go back.
    const now = await this.#options.reader.readChanged(head.tenantId, [])
    if (now === undefined || now.tenant.revision < tenant.revision) this.drop(head.tenantId)
  }

  drop(tenantId: TenantId): void {
    for (const load of this.#loadsBySlug.values()) load.dropped(tenantId)
    this.#loadsById.get(tenantId)?.dropped(tenantId)
    this.#tenants.delete(tenantId)
  }

  dropAll(): void {
    for (const load of [...this.#loadsBySlug.values(), ...this.#loadsById.values()]) load.droppedAll()
    this.#tenants.clear()
  }

  catalogueChanged(): void {
    for (const { snapshot } of this.#tenants.values()) snapshot.forgetCompiled()
  }

  stats(): EngineStats {
    return {
      tenants: this.#tenants.size,
      compiledBindings: this.#budget.used,
      loads: this.#loads,
      slowestLoadMs: this.#slowestLoadMs,
      rowRereads: this.#rowRereads,
      wholeRereads: this.#wholeRereads,
    }
  }

  #makeRoom(enough: () => boolean): void {
    for (const refresh of this.#tenants.rvalues()) {
      if (enough()) return
      refresh?.snapshot.forgetCompiled()
    }
  }

  #warm(tenantId: TenantId): TenantSnapshot | undefined {
    const snapshot = this.#tenants.get(tenantId)?.snapshot
    if (snapshot === undefined || !snapshot.retired) return snapshot
    this.#tenants.delete(tenantId)
    return undefined
  }

  async #join<Key>(
    loads: Map<Key, TenantLoad>,
    key: Key,
    tenantId: TenantId | undefined,
    read: () => Promise<TenantFacts | undefined>,
  ): Promise<TenantSnapshot | undefined> {
    const running = loads.get(key)
    const mayBeTooOld = running?.heardOfCommit ?? false
    const found = await (running ?? this.#startLoad(loads, key, tenantId, read)).result
    if (found !== undefined || !mayBeTooOld) return found?.snapshot
    return (await (loads.get(key) ?? this.#startLoad(loads, key, tenantId, read)).result)?.snapshot
  }

  #startLoad<Key>(
    loads: Map<Key, TenantLoad>,
    key: Key,
    tenantId: TenantId | undefined,
    read: () => Promise<TenantFacts | undefined>,
  ): TenantLoad {
    const startMs = this.#options.clock.monotonicMs()
    const load = new TenantLoad({
      tenantId,
      read: () => {
        this.#loads += 1
        return read()
      },
      open: (facts) => this.#open(facts),
      publish: (refresh) => this.#publish(refresh),
    })
    loads.set(key, load)
    const ended = () => {
      loads.delete(key)
      this.#slowestLoadMs = Math.max(this.#slowestLoadMs, this.#options.clock.monotonicMs() - startMs)
    }
    load.result.then(ended, ended)
    return load
  }

  #open(facts: TenantFacts): TenantRefresh {
    const { reader, catalogue, alarm, directoryRevision } = this.#options
    const onReread = (kind: 'rows' | 'whole') => {
      if (kind === 'rows') this.#rowRereads += 1
      else this.#wholeRereads += 1
    }
    const snapshot = new TenantSnapshot(facts, { catalogue, alarm, directoryRevision, budget: this.#budget })
    return new TenantRefresh(snapshot, { reader, alarm, onReread })
  }

  #publish(refresh: TenantRefresh): TenantRefresh {
    const { tenantId, slug } = refresh.snapshot.tenant
    // By slug and by id a tenant can be loaded at once; the one that is already followed stays.
    if (this.#warm(tenantId) !== undefined) return this.#tenants.peek(tenantId) ?? refresh
    this.#tenants.set(tenantId, refresh)
    this.#idBySlug.set(slug, tenantId)
    return refresh
  }

  async #reach(tenantId: TenantId, revision: number): Promise<void> {
    const snapshot = await this.snapshotById(tenantId)
    if (snapshot !== undefined && snapshot.revision < revision) await this.#tenants.peek(tenantId)?.reach(revision)
    if ((this.#warm(tenantId)?.revision ?? -1) < revision) throw stale()
  }
}
