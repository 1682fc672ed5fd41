import type { EntitySchema } from 'typeorm'
import { PermissionTable } from './access/permission-table.ts'
import { RoleTable } from './access/role-table.ts'
import { GuardViolationTable } from './assurance/guard-violation-table.ts'
import { IsolationReportTable } from './assurance/isolation-report-table.ts'
import { ApiKeyTable, PlatformApiKeyTable } from './credentials/api-key-table.ts'
import { SigningKeyTable } from './credentials/signing-key-table.ts'
import { OperationTable, PlatformOperationTable } from './operations/operation-table.ts'
import { MembershipTable } from './people/membership-table.ts'
import { PlatformServiceAccountTable, ServiceAccountTable } from './people/service-account-table.ts'
import { UserTable } from './people/user-table.ts'
import { CellTable } from './placement/cell-table.ts'
import { SecretTable } from './secrets/secret-table.ts'
import { SecretVersionTable } from './secrets/secret-version-table.ts'
import type { GuardedTables } from './sql-guard/guard-types.ts'
import { CellIdentityTable, DirectoryHeartbeatTable, FeedHeartbeatTable } from './tenancy/cell-tables.ts'
import { AuditChainTable, DirectoryChainTable, DirectoryHeadTable } from './tenancy/chain-tables.ts'
import { AuditCheckpointEndTable, AuditCheckpointTable } from './tenancy/checkpoint-tables.ts'
import { DirectoryJournalTable, JournalTable } from './tenancy/journal-table.ts'
import { keyPropertiesOf, pinsOf } from './tenancy/pins.ts'
import { platformTables } from './tenancy/platform-capability.ts'
import { DirectoryRetiredNameTable, RetiredNameTable } from './tenancy/retired-names.ts'
import { SealedKeyTable } from './tenancy/sealed-key.ts'
import { TenantHeadTable, TenantPlacementTable } from './tenants/tenant-table.ts'
import { WorkspaceTable } from './tenants/workspace-table.ts'

/** Tables of a cell: every row belongs to one tenant. */
export const cellTables: readonly EntitySchema[] = [
  TenantHeadTable,
  JournalTable,
  AuditChainTable,
  WorkspaceTable,
  UserTable,
  ServiceAccountTable,
  MembershipTable,
  RoleTable,
  ApiKeyTable,
  SecretTable,
  SecretVersionTable,
  RetiredNameTable,
  OperationTable,
] as unknown as EntitySchema[]

/** Tables of a cell that say something about the cell itself: their rows belong to no tenant, so no tenant reaches them. */
export const cellOwnTables: readonly EntitySchema[] = [
  CellIdentityTable,
  FeedHeartbeatTable,
] as unknown as EntitySchema[]

/** Everything a cell's database has. */
export const allCellTables: readonly EntitySchema[] = [...cellTables, ...cellOwnTables]

/** Tables of the directory: no row holds a tenant's data. */
export const directoryTables: readonly EntitySchema[] = [
  DirectoryHeadTable,
  DirectoryJournalTable,
  DirectoryChainTable,
  CellTable,
  TenantPlacementTable,
  PermissionTable,
  PlatformServiceAccountTable,
  PlatformApiKeyTable,
  DirectoryRetiredNameTable,
  SealedKeyTable,
  SigningKeyTable,
  DirectoryHeartbeatTable,
  PlatformOperationTable,
  IsolationReportTable,
  GuardViolationTable,
  AuditCheckpointTable,
  AuditCheckpointEndTable,
] as unknown as EntitySchema[]

/** What the guard demands of each table: read off the entities, so that a new tenant table cannot be forgotten. */
export function guardedTables(): GuardedTables {
  return {
    tenantTables: new Map(
      cellTables.map((table) => {
        const pins = pinsOf(table)
        return [pins.table, pins.columns]
      }),
    ),
    sharedKeys: new Set(cellTables.filter(hasSharedKey).map((table) => pinsOf(table).table)),
    platformTables: new Map(
      Object.entries(platformTables).map(([purpose, tables]) => [purpose, new Map(Object.entries(tables))]),
    ),
  }
}

function hasSharedKey(table: EntitySchema): boolean {
  const { indices = [] } = table.options
  const [first] = keyPropertiesOf(table)
  const uniqueKeys = indices.filter(({ unique }) => unique === true).map((index) => (index.columns as string[])[0])
  return [first, ...uniqueKeys].some((property) => property !== 'tenantId')
}
