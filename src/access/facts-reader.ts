import type { ApiKeyId, MembershipId, PrincipalId, RoleId, TenantId, WorkspaceId } from '../base/ids.ts'
import type { ApiKeyRow } from '../credentials/api-key.ts'
import { apiKeyRows } from '../credentials/api-key-store.ts'
import type { MembershipRow } from '../people/membership.ts'
import { membershipRows } from '../people/membership-store.ts'
import type { ServiceAccountRow } from '../people/service-account.ts'
import { serviceAccountRows } from '../people/service-account-store.ts'
import type { UserRow } from '../people/user.ts'
import { userRows } from '../people/user-store.ts'
import { changesSince } from '../tenancy/journal-store.ts'
import { readerContext } from '../tenancy/reader-context.ts'
import type { Scopes } from '../tenancy/scope.ts'
import type { ReadScope } from '../tenancy/tenant-unit.ts'
import type { TenantHeadRow } from '../tenants/tenant.ts'
import { headRows } from '../tenants/tenant-store.ts'
import { isLiving, type LivingWorkspace } from '../tenants/workspace.ts'
import { workspaceRows } from '../tenants/workspace-store.ts'
import type {
  ApiKeyFact,
  ChangedFacts,
  ChangedRow,
  FactsReader,
  MembershipFact,
  PrincipalFact,
  RoleFact,
  TenantFact,
  TenantFacts,
  WorkspaceFact,
} from './engine/facts.ts'
import type { RoleRow } from './role.ts'
import { roleRows } from './role-store.ts'

export interface FactsReaderParts {
  readonly scopes: Scopes
  /** From the directory; undefined when no tenant has that slug. */
  readonly tenantIdOf: (slug: string) => Promise<TenantId | undefined>
}

/** Reads what the engine compiles: each reading is one snapshot of one tenant, head included. */
export function createFactsReader({ scopes, tenantIdOf }: FactsReaderParts): FactsReader {
  const readTenantById = (tenantId: TenantId) =>
    scopes.readAllWorkspaces(readerContext(tenantId), 'access-snapshot', readTenantFacts)
  return {
    readTenantById,
    async readTenantBySlug(slug) {
      const tenantId = await tenantIdOf(slug)
      const facts = tenantId === undefined ? undefined : await readTenantById(tenantId)
      // The directory says where to look; what its name is, a tenant's own head says, which carries a code.
      return facts?.tenant.slug === slug ? facts : undefined
    },
    readChanged: (tenantId, rows) =>
      scopes.readAllWorkspaces(readerContext(tenantId), 'access-snapshot', (scope) => readChanged(scope, rows)),
    readSince: (tenantId, revision) =>
      scopes.readAllWorkspaces(readerContext(tenantId), 'access-snapshot', (scope) => readSince(scope, revision)),
  }
}

/** Beyond so many commits, or rows, a whole reading is cheaper. */
const maxMissed = 100

async function readSince(scope: ReadScope, revision: number): Promise<ChangedFacts | 'unknown' | undefined> {
  const commits = await changesSince(scope, revision, maxMissed)
  const rows = commits?.flatMap(({ changes }) =>
    changes.map(([table, workspaceId, id]) => ({ table, workspaceId, id })),
  )
  if (commits === undefined || rows === undefined || rows.length > maxMissed) return 'unknown'
  const changed = await readChanged(scope, rows)
  // In one snapshot, so that what the journal does not name has not changed, unless part of it is gone.
  if (changed !== undefined && changed.tenant.revision !== revision + commits.length) return 'unknown'
  return changed
}

/**
 * Everything the engine knows of a tenant. The scope must reach every workspace of it. Who can write the database gives
 * nobody power by it: what Tenure did not write is as if it were not there.
 */
export async function readTenantFacts(scope: ReadScope): Promise<TenantFacts | undefined> {
  const head = await livingHead(scope)
  if (head === undefined) return undefined
  const users = await userRows(scope).allGenuine({})
  const accounts = await serviceAccountRows(scope).allGenuine({})
  return {
    tenant: tenantFact(head),
    workspaces: (await workspaceRows(scope).allGenuine({})).filter(isLiving).map(workspaceFact),
    principals: [...users.map(userFact), ...accounts.map(accountFact)],
    roles: (await roleRows(scope).allGenuine({})).map(roleFact),
    memberships: (await membershipRows(scope).allGenuine({})).map(membershipFact),
    apiKeys: (await apiKeyRows(scope).allGenuine({})).map(apiKeyFact),
  }
}

async function readChanged(scope: ReadScope, rows: readonly ChangedRow[]): Promise<ChangedFacts | undefined> {
  const head = await livingHead(scope)
  if (head === undefined) return undefined
  const reread = async <Row, Fact>(
    table: string,
    find: (id: string) => Promise<Row | undefined>,
    factFrom: (row: Row) => Fact,
  ): Promise<[string, Fact | undefined][]> => {
    const found: [string, Fact | undefined][] = []
    for (const { id } of rows.filter((row) => row.table === table)) {
      const row = await find(id)
      found.push([id, row === undefined ? undefined : factFrom(row)])
    }
    return found
  }
  const workspaces = await reread('workspaces', (id) => livingWorkspace(scope, id), workspaceFact)
  const users = await reread('users', (id) => userRows(scope).findGenuine({ userId: id }), userFact)
  const accounts = await reread(
    'service_accounts',
    (id) => serviceAccountRows(scope).findGenuine({ serviceAccountId: id }),
    accountFact,
  )
  const roles = await reread('roles', (id) => roleRows(scope).findGenuine({ roleId: id }), roleFact)
  const memberships = await reread(
    'memberships',
    (id) => membershipRows(scope).findGenuine({ membershipId: id }),
    membershipFact,
  )
  const apiKeys = await reread('api_keys', (id) => apiKeyRows(scope).findGenuine({ apiKeyId: id }), apiKeyFact)
  return {
    tenant: tenantFact(head),
    workspaces: new Map(workspaces),
    principals: new Map([...users, ...accounts]),
    roles: new Map(roles),
    memberships: new Map(memberships),
    apiKeys: new Map(apiKeys),
  }
}

/** A tombstone decides nothing: what was purged is as if it had never been. */
async function livingHead(scope: ReadScope): Promise<TenantHeadRow | undefined> {
  const head = await headRows(scope).findGenuine({})
  return head?.state === 'PURGED' ? undefined : head
}

async function livingWorkspace(scope: ReadScope, workspaceId: string): Promise<LivingWorkspace | undefined> {
  const found = await workspaceRows(scope).findGenuine({ workspaceId })
  return found !== undefined && isLiving(found) ? found : undefined
}

function tenantFact(row: TenantHeadRow): TenantFact {
  if (row.state === 'PURGED') throw new Error('a tombstone decides nothing')
  const { slug, suspensionMode, region, tier, placementEpoch, timelineId, revision } = row
  return {
    state: row.state,
    ...{ slug, suspensionMode, region, tier, placementEpoch, timelineId, revision },
    tenantId: row.tenantId as TenantId,
    chainHash: Buffer.from(row.chainHash).toString('base64'),
  }
}

export function workspaceFact({ workspaceId, slug, state }: LivingWorkspace): WorkspaceFact {
  return { workspaceId: workspaceId as WorkspaceId, slug, state }
}

export function userFact({ userId, slug, issuer, subject, state }: UserRow): PrincipalFact {
  return { principalId: userId as PrincipalId, kind: 'user', slug, issuer, subject, active: state === 'ACTIVE' }
}

export function accountFact({ serviceAccountId, slug, state }: Omit<ServiceAccountRow, 'tenantId'>): PrincipalFact {
  const principalId = serviceAccountId as PrincipalId
  return { principalId, kind: 'service_account', slug, issuer: '', subject: '', active: state === 'ACTIVE' }
}

export function roleFact({ roleId, slug, permissions }: RoleRow): RoleFact {
  return { roleId: roleId as RoleId, slug, permissions }
}

export function membershipFact(row: MembershipRow): MembershipFact {
  return {
    membershipId: row.membershipId as MembershipId,
    workspaceId: row.workspaceId as WorkspaceId,
    principalId: row.principalId as PrincipalId,
    roles: row.roles,
    reachAll: row.reachAll,
    expireTimeMs: row.expireTime?.getTime(),
  }
}

export function apiKeyFact(row: Omit<ApiKeyRow, 'tenantId' | 'ownerKind' | 'lastUsedTime'>): ApiKeyFact {
  return {
    apiKeyId: row.apiKeyId as ApiKeyId,
    workspaceId: row.workspaceId as WorkspaceId,
    ownerId: row.ownerId as PrincipalId,
    secretHash: row.secretHash,
    permissions: row.permissions,
    expireTimeMs: row.expireTime?.getTime(),
    revoked: row.state !== 'ACTIVE',
  }
}
