import type { ApiKeyId, MembershipId, PrincipalId, RoleId, TenantId, WorkspaceId } from '../../base/ids.ts'

/** What the engine knows of one tenant: plain rows, read in one consistent read that includes the head's revision. */
export interface TenantFacts {
  readonly tenant: TenantFact
  readonly workspaces: readonly WorkspaceFact[]
  readonly principals: readonly PrincipalFact[]
  readonly roles: readonly RoleFact[]
  readonly memberships: readonly MembershipFact[]
  readonly apiKeys: readonly ApiKeyFact[]
}

export interface TenantFact {
  readonly tenantId: TenantId
  readonly slug: string
  readonly state: 'PROVISIONING' | 'ACTIVE' | 'SUSPENDED' | 'DELETED'
  /** NONE unless state is SUSPENDED. */
  readonly suspensionMode: 'NONE' | 'READ_ONLY' | 'FULL'
  readonly region: string
  readonly tier: string
  readonly placementEpoch: number
  readonly timelineId: string
  readonly revision: number
  /** Hash of the newest event of authority: with the revision it tells one history from another. */
  readonly chainHash: string
}

export interface WorkspaceFact {
  readonly workspaceId: WorkspaceId
  readonly slug: string
  readonly state: 'ACTIVE' | 'ARCHIVED' | 'DELETED'
}

export type PrincipalKind = 'user' | 'service_account'

export interface PrincipalFact {
  readonly principalId: PrincipalId
  readonly kind: PrincipalKind
  readonly slug: string
  /** Users only; compared byte by byte. */
  readonly issuer: string
  readonly subject: string
  readonly active: boolean
}

export interface RoleFact {
  readonly roleId: RoleId
  readonly slug: string
  readonly permissions: readonly string[]
}

export interface MembershipFact {
  readonly membershipId: MembershipId
  /** `tenantLevel` (nil UUID) for a tenant membership. */
  readonly workspaceId: WorkspaceId
  readonly principalId: PrincipalId
  /** Role uids, or the names of templates (`roles/owner`). */
  readonly roles: readonly string[]
  /** Tenant memberships only: carries its roles into every workspace. */
  readonly reachAll: boolean
  readonly expireTimeMs: number | undefined
}

export interface ApiKeyFact {
  readonly apiKeyId: ApiKeyId
  /** `tenantLevel` (nil UUID) for a key of the tenant; else it has power in that workspace alone. */
  readonly workspaceId: WorkspaceId
  readonly ownerId: PrincipalId
  /** SHA-256 of the secret. */
  readonly secretHash: Uint8Array
  /** Empty: all the owner's. */
  readonly permissions: readonly string[]
  readonly expireTimeMs: number | undefined
  readonly revoked: boolean
}

/** One row that a commit touched. The engine re-reads exactly these. */
export interface ChangedRow {
  readonly table: string
  readonly workspaceId: string
  readonly id: string
}

/** What a commit tells the engine. */
export interface CommittedChange {
  readonly tenantId: TenantId
  readonly revision: number
  /** Of the event. */
  readonly chainHash?: string
  /** All that the rows are now, where this process knows it because it wrote them. */
  readonly facts?: Omit<ChangedFacts, 'tenant'>
  readonly rows: readonly ChangedRow[]
}

/** A tenant's head as a sweep over all of them reads it. */
export type HeadFact = Pick<TenantFact, 'tenantId' | 'timelineId' | 'revision' | 'chainHash'>

/** What a re-read of changed rows found. An id without a row was deleted. */
export interface ChangedFacts {
  readonly tenant: TenantFact
  readonly workspaces: ReadonlyMap<string, WorkspaceFact | undefined>
  readonly principals: ReadonlyMap<string, PrincipalFact | undefined>
  readonly roles: ReadonlyMap<string, RoleFact | undefined>
  readonly memberships: ReadonlyMap<string, MembershipFact | undefined>
  readonly apiKeys: ReadonlyMap<string, ApiKeyFact | undefined>
}

/** Reads facts from the database. Each method is one consistent read. */
export interface FactsReader {
  /** Undefined when no tenant has that slug. */
  readTenantBySlug(slug: string): Promise<TenantFacts | undefined>
  readTenantById(tenantId: TenantId): Promise<TenantFacts | undefined>
  /** Undefined when the tenant is gone. */
  readChanged(tenantId: TenantId, rows: readonly ChangedRow[]): Promise<ChangedFacts | undefined>
  /**
   * Every row that commits behind that revision touched, up to the head. `unknown`: they cannot be told, or are so many
   * that a whole reading is cheaper.
   */
  readSince(tenantId: TenantId, revision: number): Promise<ChangedFacts | 'unknown' | undefined>
}
