import type { CataloguedPermission } from '../../../../src/access/engine/catalogue.ts'
import type {
  ApiKeyFact,
  ChangedFacts,
  MembershipFact,
  PrincipalFact,
  RoleFact,
  TenantFact,
  TenantFacts,
  WorkspaceFact,
} from '../../../../src/access/engine/facts.ts'
import {
  type ApiKeyId,
  type MembershipId,
  type PrincipalId,
  type RoleId,
  type TenantId,
  tenantLevel,
  type WorkspaceId,
} from '../../../../src/base/ids.ts'

/** A uid that reads as its number. */
export function uid<Id extends string>(number: number): Id {
  return `00000000-0000-7000-8000-${String(number).padStart(12, '0')}` as Id
}

export const acmeId = uid<TenantId>(1)
export const prodId = uid<WorkspaceId>(11)
export const stagingId = uid<WorkspaceId>(12)
export const aliceId = uid<PrincipalId>(21)
export const robotId = uid<PrincipalId>(22)
export const readerRoleId = uid<RoleId>(31)
export const writerRoleId = uid<RoleId>(32)

export const testPermissions: readonly CataloguedPermission[] = [
  { name: 'orders.read', effect: 'READ', service: 'shop', platformOnly: false },
  { name: 'orders.write', effect: 'WRITE', service: 'shop', platformOnly: false },
  { name: 'stock.read', effect: 'READ', service: 'shop', platformOnly: false },
  { name: 'apiKeys.get', effect: 'READ', service: 'tenure', platformOnly: false },
  { name: 'access.check', effect: 'READ', service: 'tenure', platformOnly: false },
  { name: 'workspaces.get', effect: 'READ', service: 'tenure', platformOnly: false },
  { name: 'workspaces.create', effect: 'WRITE', service: 'tenure', platformOnly: false },
  { name: 'tenants.delete', effect: 'WRITE', service: 'tenure', platformOnly: false },
  { name: 'tenants.create', effect: 'WRITE', service: 'tenure', platformOnly: true },
  { name: 'tenants.list', effect: 'READ', service: 'tenure', platformOnly: true },
]

export function tenantFact(fields: Partial<TenantFact> = {}): TenantFact {
  return {
    tenantId: acmeId,
    slug: 'acme',
    state: 'ACTIVE',
    suspensionMode: 'NONE',
    region: 'eu-1',
    tier: 'standard',
    placementEpoch: 1,
    timelineId: uid(900),
    chainHash: '',
    revision: 1,
    ...fields,
  }
}

export function workspaceFact(fields: Partial<WorkspaceFact> = {}): WorkspaceFact {
  return { workspaceId: prodId, slug: 'prod', state: 'ACTIVE', ...fields }
}

export function userFact(fields: Partial<PrincipalFact> = {}): PrincipalFact {
  return {
    principalId: aliceId,
    kind: 'user',
    slug: 'alice',
    issuer: 'https://id.example',
    subject: 'alice',
    active: true,
    ...fields,
  }
}

export function robotFact(fields: Partial<PrincipalFact> = {}): PrincipalFact {
  return {
    principalId: robotId,
    kind: 'service_account',
    slug: 'robot',
    issuer: '',
    subject: '',
    active: true,
    ...fields,
  }
}

export function roleFact(fields: Partial<RoleFact> = {}): RoleFact {
  return { roleId: readerRoleId, slug: 'reader', permissions: ['orders.read'], ...fields }
}

export function membershipFact(fields: Partial<MembershipFact> = {}): MembershipFact {
  return {
    membershipId: uid<MembershipId>(41),
    workspaceId: prodId,
    principalId: aliceId,
    roles: [readerRoleId],
    reachAll: false,
    expireTimeMs: undefined,
    ...fields,
  }
}

export function apiKeyFact(fields: Partial<ApiKeyFact> = {}): ApiKeyFact {
  return {
    apiKeyId: uid<ApiKeyId>(51),
    workspaceId: tenantLevel,
    ownerId: aliceId,
    secretHash: new Uint8Array(32),
    permissions: [],
    expireTimeMs: undefined,
    revoked: false,
    ...fields,
  }
}

/** Alice reads orders in `prod`; `staging`, the robot and the writer role stand idle. */
export function acmeFacts(fields: Partial<TenantFacts> = {}): TenantFacts {
  return {
    tenant: tenantFact(),
    workspaces: [workspaceFact(), workspaceFact({ workspaceId: stagingId, slug: 'staging' })],
    principals: [userFact(), robotFact()],
    roles: [roleFact(), roleFact({ roleId: writerRoleId, slug: 'writer', permissions: ['orders.write'] })],
    memberships: [membershipFact()],
    apiKeys: [apiKeyFact()],
    ...fields,
  }
}

export function changedFacts(fields: Partial<ChangedFacts> = {}): ChangedFacts {
  const none = new Map()
  return {
    tenant: tenantFact({ revision: 2 }),
    workspaces: none,
    principals: none,
    roles: none,
    memberships: none,
    apiKeys: none,
    ...fields,
  }
}
