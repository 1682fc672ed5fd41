import type {
  ApiKeyFact,
  ChangedFacts,
  ChangedRow,
  CommittedChange,
  FactsReader,
  MembershipFact,
  PrincipalFact,
  RoleFact,
  TenantFact,
  TenantFacts,
  WorkspaceFact,
} from '../../../../src/access/engine/facts.ts'
import type { TenantId } from '../../../../src/base/ids.ts'

export interface StoredTenant {
  tenant: TenantFact
  readonly workspaces: Map<string, WorkspaceFact>
  readonly principals: Map<string, PrincipalFact>
  readonly roles: Map<string, RoleFact>
  readonly memberships: Map<string, MembershipFact>
  readonly api_keys: Map<string, ApiKeyFact>
}

export type StoredTable = Exclude<keyof StoredTenant, 'tenant'>

/** A database in memory: commits are atomic, reads are consistent, and both ends of a read take their time. */
export class MemoryFacts implements FactsReader {
  readonly tenants = new Map<TenantId, StoredTenant>()
  /** Awaited before and after what a read sees is taken; throws to make the read fail. */
  readonly #gap: (at: 'before' | 'after', read: 'whole' | 'rows') => Promise<void>
  readonly #commits: CommittedChange[] = []
  wholeReads = 0
  rowReads = 0

  constructor(gap: (at: 'before' | 'after', read: 'whole' | 'rows') => Promise<void> = async () => undefined) {
    this.#gap = gap
  }

  put(facts: TenantFacts): StoredTenant {
    const stored: StoredTenant = {
      tenant: facts.tenant,
      workspaces: new Map(facts.workspaces.map((fact) => [fact.workspaceId, fact])),
      principals: new Map(facts.principals.map((fact) => [fact.principalId, fact])),
      roles: new Map(facts.roles.map((fact) => [fact.roleId, fact])),
      memberships: new Map(facts.memberships.map((fact) => [fact.membershipId, fact])),
      api_keys: new Map(facts.apiKeys.map((fact) => [fact.apiKeyId, fact])),
    }
    this.tenants.set(facts.tenant.tenantId, stored)
    return stored
  }

  /** One commit: what `write` did, the next revision, and which rows it says it touched. */
  commit(tenantId: TenantId, write: (stored: StoredTenant) => readonly [StoredTable, string][]): CommittedChange {
    const stored = this.tenants.get(tenantId)
    if (stored === undefined) throw new Error('no such tenant')
    const touched = write(stored)
    const revision = stored.tenant.revision + 1
    const chainHash = `hash of ${revision}`
    stored.tenant = { ...stored.tenant, revision, chainHash }
    const change = {
      tenantId,
      revision,
      chainHash,
      rows: touched.map(([table, id]) => ({ table, id, workspaceId: '' })),
    }
    this.#commits.push(change)
    return change
  }

  /** The commit as the process tells of it that made it, with all that its rows are: to be asked for right after it. */
  withFacts(change: CommittedChange): CommittedChange {
    const facts = this.#pick(this.tenants.get(change.tenantId), change.rows)
    return facts === undefined ? change : { ...change, facts }
  }

  readTenantBySlug(slug: string): Promise<TenantFacts | undefined> {
    return this.#readWhole(() => [...this.tenants.values()].find(({ tenant }) => tenant.slug === slug))
  }

  readTenantById(tenantId: TenantId): Promise<TenantFacts | undefined> {
    return this.#readWhole(() => this.tenants.get(tenantId))
  }

  async #readWhole(find: () => StoredTenant | undefined): Promise<TenantFacts | undefined> {
    this.wholeReads += 1
    await this.#gap('before', 'whole')
    const stored = find()
    const facts = stored && {
      tenant: stored.tenant,
      workspaces: [...stored.workspaces.values()],
      principals: [...stored.principals.values()],
      roles: [...stored.roles.values()],
      memberships: [...stored.memberships.values()],
      apiKeys: [...stored.api_keys.values()],
    }
    await this.#gap('after', 'whole')
    return facts
  }

  #pick(stored: StoredTenant | undefined, rows: readonly ChangedRow[]): ChangedFacts | undefined {
    return (
      stored && {
        tenant: stored.tenant,
        workspaces: pick(stored.workspaces, 'workspaces', rows),
        principals: pick(stored.principals, 'principals', rows),
        roles: pick(stored.roles, 'roles', rows),
        memberships: pick(stored.memberships, 'memberships', rows),
        apiKeys: pick(stored.api_keys, 'api_keys', rows),
      }
    )
  }

  async readChanged(tenantId: TenantId, rows: readonly ChangedRow[]): Promise<ChangedFacts | undefined> {
    this.rowReads += 1
    await this.#gap('before', 'rows')
    const stored = this.tenants.get(tenantId)
    const found = this.#pick(stored, rows)
    await this.#gap('after', 'rows')
    return found
  }

  readSince(tenantId: TenantId, revision: number): Promise<ChangedFacts | 'unknown' | undefined> {
    this.rowReads += 1
    return this.#readSince(tenantId, revision)
  }

  async #readSince(tenantId: TenantId, revision: number): Promise<ChangedFacts | 'unknown' | undefined> {
    await this.#gap('before', 'rows')
    const stored = this.tenants.get(tenantId)
    const missed = this.#commits.filter((each) => each.tenantId === tenantId && each.revision > revision)
    const told = stored === undefined || stored.tenant.revision === revision + missed.length
    const found = told
      ? this.#pick(
          stored,
          missed.flatMap(({ rows }) => rows),
        )
      : ('unknown' as const)
    await this.#gap('after', 'rows')
    return found
  }
}

function pick<Fact>(
  stored: ReadonlyMap<string, Fact>,
  table: StoredTable,
  rows: readonly ChangedRow[],
): Map<string, Fact | undefined> {
  return new Map(rows.filter((row) => row.table === table).map(({ id }) => [id, stored.get(id)]))
}
