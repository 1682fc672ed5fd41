import type { TenantId } from '../../base/ids.ts'
import type { CommittedChange, TenantFacts } from './facts.ts'
import { stale, type TenantRefresh } from './tenant-refresh.ts'

const maxReadings = 5
const maxCatchUps = 50

export interface LoadOptions {
  /** Undefined: which tenant it is only the reading will tell. */
  readonly tenantId: TenantId | undefined
  readonly read: () => Promise<TenantFacts | undefined>
  readonly open: (facts: TenantFacts) => TenantRefresh
  /** Called in the same turn in which the load has found that it misses no commit. */
  readonly publish: (refresh: TenantRefresh) => TenantRefresh
}

/**
 * One first reading of a tenant, shared by all who ask meanwhile. Commits made while it reads may or may not be in what
 * it read; each is read again before anyone sees the snapshot.
 */
export class TenantLoad {
  readonly result: Promise<TenantRefresh | undefined>
  readonly #options: LoadOptions
  #tenantId: TenantId | undefined
  #changes: CommittedChange[] = []
  #startOver = false
  #heard = false

  constructor(options: LoadOptions) {
    this.#options = options
    this.#tenantId = options.tenantId
    this.result = this.#load()
  }

  /** A commit came after the reading began: that it finds nothing is then no answer for who asks from now on. */
  get heardOfCommit(): boolean {
    return this.#heard
  }

  committed(change: CommittedChange): void {
    if (this.#tenantId !== undefined && this.#tenantId !== change.tenantId) return
    this.#heard = true
    this.#changes.push(change)
  }

  dropped(tenantId: TenantId): void {
    if (this.#tenantId === undefined || this.#tenantId === tenantId) this.#startOver = true
  }

  droppedAll(): void {
    this.#startOver = true
  }

  async #load(): Promise<TenantRefresh | undefined> {
    for (let reading = 0; reading < maxReadings; reading += 1) {
      this.#startOver = false
      const facts = await this.#options.read()
      if (facts === undefined) return undefined
      this.#tenantId = facts.tenant.tenantId
      const refresh = this.#options.open(facts)
      if (await this.#catchUp(refresh)) return this.#options.publish(refresh)
    }
    throw stale()
  }

  /** False: what was read is void, and has to be read anew. */
  async #catchUp(refresh: TenantRefresh): Promise<boolean> {
    for (let round = 0; round < maxCatchUps; round += 1) {
      if (this.#startOver || refresh.snapshot.retired) return false
      const { tenant, revision } = refresh.snapshot
      const missed = this.#changes.filter((change) => change.tenantId === tenant.tenantId && change.revision > revision)
      this.#changes = []
      if (missed.length === 0) return true
      await refresh.changed(missed)
    }
    throw stale()
  }
}
