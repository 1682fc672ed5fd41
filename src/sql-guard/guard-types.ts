export type GuardDialect = 'sqlite' | 'mysql'

/** What a row can belong to. Which column says so is each table's own matter. */
export type Pin = 'tenant' | 'workspace'

export const PINS: readonly Pin[] = ['tenant', 'workspace']

/** What the server calls the key columns of its own tables, every one of them. */
export type PinColumn = 'tenant_id' | 'workspace_id'

export interface GuardedTables {
  /**
   * Tables a tenant's statements may name, and the columns every reference to them must be pinned by: the tenant's first,
   * then the workspace's where rows belong to one. A table with none of them is shared: its rows are nobody's.
   */
  readonly tenantTables: ReadonlyMap<string, readonly string[]>
  /**
   * Columns may have capitals in their names, as an ORM gives them that names them after properties. Engines tell no
   * capitals apart there: a pin counts in the one spelling listed, and no other spelling of a key is assigned.
   */
  readonly mixedCaseColumns?: boolean
  /**
   * Tenant tables with a unique key that does not begin with the tenant: MySQL's upsert takes whichever unique key meets a
   * row first, so there it could update the row of another tenant.
   */
  readonly sharedKeys: ReadonlySet<string>
  /** What a platform capability may touch without a tenant pin: purpose, table, and how. Write implies read. */
  readonly platformTables: ReadonlyMap<string, ReadonlyMap<string, 'read' | 'write'>>
}

export interface TenantBinding {
  readonly kind: 'tenant'
  readonly tenantId: string
  /** Always a string; rows that belong to the tenant itself carry the nil UUID. */
  readonly workspaceId: string
  /** Pins to a workspace are then neither demanded nor compared. */
  readonly allWorkspaces: boolean
}

interface PlatformBinding {
  readonly kind: 'platform'
  readonly purpose: string
}

/** Everything is allowed. Only the migration runner holds it, before the server listens. */
interface MigrationBinding {
  readonly kind: 'migration'
}

export type GuardBinding = TenantBinding | PlatformBinding | MigrationBinding

/** What a driver may be given to bind: no objects, no arrays, no dates. */
export type Bindable = string | number | bigint | boolean | null | Uint8Array
