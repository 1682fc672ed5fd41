import { MembershipService } from '../../src/gen/tenure/v1/membership_service_pb.ts'
import { RoleService } from '../../src/gen/tenure/v1/role_service_pb.ts'
import { TenantService } from '../../src/gen/tenure/v1/tenant_service_pb.ts'
import { UserService } from '../../src/gen/tenure/v1/user_service_pb.ts'
import { WorkspaceService } from '../../src/gen/tenure/v1/workspace_service_pb.ts'
import type { PlannedWrite, Thing } from './crash-model.ts'
import type { CrashServer } from './crash-server.ts'

export interface WriteAnswer {
  readonly revision: string
}

const timeoutMs = 15_000

/** Sends one write once. Rejects as the client does. */
export function sendWrite(server: CrashServer, write: PlannedWrite): Promise<WriteAnswer> {
  return senders[write.request.thing.kind](server, write)
}

type Sender = (server: CrashServer, write: PlannedWrite) => Promise<WriteAnswer>

function parentOf({ name }: Thing): string {
  return name.split('/').slice(0, -2).join('/')
}

const sendUser: Sender = (server, { key, requestId, request }) => {
  const users = server.client(UserService, key)
  const { thing } = request
  const { slug, name } = thing
  if (request.action === 'delete') {
    return users.deleteUser({ name, etag: request.etag, force: true, requestId }, { timeoutMs })
  }
  const displayName = request.text
  if (request.action === 'update') {
    return users.updateUser({ user: { name, displayName, etag: request.etag }, requestId }, { timeoutMs })
  }
  const user = { issuer: 'https://idp.example', subject: slug, displayName }
  return users.createUser({ parent: parentOf(thing), userId: slug, user, requestId }, { timeoutMs })
}

const sendWorkspace: Sender = (server, { key, requestId, request }) => {
  const workspaces = server.client(WorkspaceService, key)
  const { thing } = request
  const { slug: workspaceId, name } = thing
  if (request.action === 'delete') {
    return workspaces.deleteWorkspace({ name, etag: request.etag, requestId }, { timeoutMs })
  }
  const displayName = request.text
  if (request.action === 'update') {
    return workspaces.updateWorkspace(
      { workspace: { name, displayName, etag: request.etag }, requestId },
      { timeoutMs },
    )
  }
  const parent = parentOf(thing)
  return workspaces.createWorkspace({ parent, workspaceId, workspace: { displayName }, requestId }, { timeoutMs })
}

const sendRole: Sender = (server, { key, requestId, request }) => {
  const roles = server.client(RoleService, key)
  const { thing } = request
  const { slug: roleId, name } = thing
  if (request.action === 'delete') return roles.deleteRole({ name, etag: request.etag, requestId }, { timeoutMs })
  const displayName = request.text
  if (request.action === 'update') {
    return roles.updateRole({ role: { name, displayName, etag: request.etag }, requestId }, { timeoutMs })
  }
  const role = { displayName, permissions: ['orders.read'] }
  return roles.createRole({ parent: parentOf(thing), roleId, role, requestId }, { timeoutMs })
}

const sendMembership: Sender = (server, { key, requestId, request, realm }) => {
  const memberships = server.client(MembershipService, key)
  const { thing } = request
  const { slug: membershipId, name, user } = thing
  if (request.action === 'delete') {
    return memberships.deleteMembership({ name, etag: request.etag, requestId }, { timeoutMs })
  }
  const roles = [`tenants/${realm.slug}/roles/${request.text}`]
  if (request.action === 'update') {
    return memberships.updateMembership({ membership: { name, roles, etag: request.etag }, requestId }, { timeoutMs })
  }
  const membership = { member: { case: 'user' as const, value: user?.name ?? '' }, roles }
  return memberships.createMembership({ parent: parentOf(thing), membershipId, membership, requestId }, { timeoutMs })
}

const sendTenant: Sender = (server, { key, requestId, request }) => {
  const tenants = server.client(TenantService, key)
  const { slug: tenantId, name } = request.thing
  if (request.action === 'create') {
    return tenants.createTenant({ tenantId, tenant: { displayName: request.text }, requestId }, { timeoutMs })
  }
  if (request.action === 'delete') throw new Error('no trial deletes a tenant')
  const tenant = { name, displayName: request.text, etag: request.etag }
  return tenants.updateTenant({ tenant, requestId }, { timeoutMs })
}

const sendPermission: Sender = (server, { key, requestId, request }) => {
  const roles = server.client(RoleService, key)
  const { slug: permissionId, name } = request.thing
  if (request.action === 'delete') return roles.deletePermission({ name, etag: request.etag, requestId }, { timeoutMs })
  const permission = { description: request.text }
  return roles.createPermission({ permissionId, permission, requestId }, { timeoutMs })
}

const senders: Readonly<Record<Thing['kind'], Sender>> = {
  user: sendUser,
  workspace: sendWorkspace,
  role: sendRole,
  membership: sendMembership,
  tenant: sendTenant,
  permission: sendPermission,
}
