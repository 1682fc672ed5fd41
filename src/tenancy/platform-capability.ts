/**
 * Why code may look past tenants. A closed list: server.ts hands each capability to the one part that needs it, and the
 * guard lets each reach only the tables named beside it.
 */
export const platformTables = {
  /** Which cell holds which tenant, and the projection that ListTenants reads. */
  'tenant-directory': {
    directory_heads: 'write',
    directory_journal: 'write',
    tenant_placements: 'write',
    cells: 'read',
  },
  /** The rows a tenant begins with, before it has a head to lock. */
  'tenant-provisioning': {
    tenant_heads: 'write',
    users: 'write',
    memberships: 'write',
    journal: 'write',
  },
  /** What any server committed, for the decisions of this one. */
  'change-feed': { journal: 'read', tenant_heads: 'read', feed_heartbeats: 'write' },
  /** What any server committed to the directory: the catalogue and the platform's own principals. */
  'directory-feed': { directory_journal: 'read', directory_heads: 'read', directory_heartbeats: 'write' },
  /** Which cell a database is, told by the database itself. */
  'cell-identity': { cell_identity: 'write' },
  /** At start: heads beside their projections, to mend what a crash between the two left behind. */
  'projection-repair': { tenant_heads: 'read' },
  'permission-catalogue': {
    directory_heads: 'write',
    directory_journal: 'write',
    permissions: 'write',
    directory_retired_names: 'write',
  },
  'platform-principals': {
    directory_heads: 'write',
    directory_journal: 'write',
    platform_service_accounts: 'write',
    platform_api_keys: 'write',
    directory_retired_names: 'write',
  },
  'platform-audit': { directory_heads: 'read', directory_journal: 'read', directory_chains: 'read' },
  'platform-access-log': { directory_journal: 'write', directory_chains: 'write' },
  /** Accesses of many tenants in one commit, each in a chain of its own tenant: what leaves waits for a disk, once for all. */
  'access-log': { journal: 'write', audit_chains: 'write', tenant_heads: 'read' },
  /** Where every chain is, and the signed statements of it. */
  'audit-checkpoints': {
    tenant_heads: 'read',
    journal: 'read',
    audit_chains: 'read',
    directory_heads: 'read',
    directory_journal: 'read',
    directory_chains: 'read',
    audit_checkpoints: 'write',
    audit_checkpoint_ends: 'write',
  },
  /** Servers look over all tenants for operations that nobody holds. */
  operations: { operations: 'write' },
  'platform-operations': { directory_heads: 'write', directory_journal: 'write', platform_operations: 'write' },
  /** What guards refused, what looks at isolation found, and what such a look reads: every row of every tenant. */
  diagnostics: {
    directory_heads: 'write',
    directory_journal: 'write',
    platform_operations: 'write',
    isolation_reports: 'write',
    guard_violations: 'write',
  },
  /** Looks over the rows of every tenant for those that stand where they must not. */
  'isolation-survey': {
    tenant_heads: 'read',
    journal: 'read',
    audit_chains: 'read',
    workspaces: 'read',
    users: 'read',
    service_accounts: 'read',
    memberships: 'read',
    roles: 'read',
    api_keys: 'read',
    secrets: 'read',
    secret_versions: 'read',
    retired_names: 'read',
    operations: 'read',
  },
  /** Every row that grants power, of every tenant and of the platform: checked, and at the first start given its code. */
  'row-codes': {
    directory_heads: 'write',
    directory_journal: 'write',
    platform_service_accounts: 'write',
    platform_api_keys: 'write',
    permissions: 'write',
    tenant_placements: 'write',
    users: 'write',
    service_accounts: 'write',
    memberships: 'write',
    roles: 'write',
    api_keys: 'write',
    workspaces: 'write',
    tenant_heads: 'write',
    operations: 'write',
    platform_operations: 'write',
  },
  'sealed-keys': { sealed_keys: 'write' },
  'signing-keys': { directory_heads: 'write', directory_journal: 'write', signing_keys: 'write' },
  /** After a restore: every head begins a new timeline. */
  restore: {
    directory_heads: 'write',
    directory_journal: 'write',
    tenant_heads: 'write',
    journal: 'write',
  },
  /** First start: the head of the directory and the cells of the configuration. */
  bootstrap: {
    directory_heads: 'write',
    cells: 'write',
  },
} as const satisfies Record<string, Record<string, 'read' | 'write'>>

export type PlatformPurpose = keyof typeof platformTables

/** Proof that its holder was given one purpose. Cannot be made outside this file. */
export interface PlatformCapability<Purpose extends PlatformPurpose = PlatformPurpose> {
  readonly purpose: Purpose
}

export type PlatformCapabilities = { readonly [Purpose in PlatformPurpose]: PlatformCapability<Purpose> }

const issued = new WeakSet<object>()

/** Called once, by the composition root. */
export function issuePlatformCapabilities(): PlatformCapabilities {
  const entries = Object.keys(platformTables).map((purpose) => {
    const capability = Object.freeze({ purpose })
    issued.add(capability)
    return [purpose, capability]
  })
  return Object.freeze(Object.fromEntries(entries)) as PlatformCapabilities
}

/** The guard's binding for a capability. A look-alike object is a broken invariant. */
export function platformBindingOf(capability: PlatformCapability): { kind: 'platform'; purpose: PlatformPurpose } {
  if (!issued.has(capability)) throw new Error('this is not a platform capability that was handed out')
  return { kind: 'platform', purpose: capability.purpose }
}
