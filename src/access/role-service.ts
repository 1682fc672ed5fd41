import { create } from '@bufbuild/protobuf'
import { timestampFromDate } from '@bufbuild/protobuf/wkt'
import type { Clock } from '../base/clock.ts'
import { invalidField, notFound, TenureError } from '../base/errors.ts'
import { checkEtag, etagOf } from '../base/etag.ts'
import type { Ids } from '../base/ids.ts'
import { lastSegment } from '../base/resource-name.ts'
import { fieldsToUpdate } from '../base/update-mask.ts'
import { type Role, Role_Level, RoleSchema } from '../gen/tenure/v1/role_pb.ts'
import {
  CreateRoleResponseSchema,
  type DeleteRoleRequest,
  DeleteRoleResponseSchema,
  GetRoleResponseSchema,
  ListRolesResponseSchema,
  RoleService,
  type UpdateRoleRequest,
  UpdateRoleResponseSchema,
} from '../gen/tenure/v1/role_service_pb.ts'
import { membershipsWithRole, takeRoleFrom } from '../people/membership-store.ts'
import {
  type Call,
  callerOf,
  contextOf,
  implement,
  mutationOf,
  pageBindingOf,
  type ServiceImplementation,
} from '../rpc/call.ts'
import type { Demands } from '../rpc/ports.ts'
import type { Directory } from '../tenancy/directory.ts'
import { type ListSpec, listPage, type PageTokens } from '../tenancy/listing.ts'
import type { PlatformCapabilities } from '../tenancy/platform-capability.ts'
import { assertNeverUsed, retireName } from '../tenancy/retired-names.ts'
import type { Scopes } from '../tenancy/scope.ts'
import type { ReadScope, Unit } from '../tenancy/tenant-unit.ts'
import type { AccessDiffs } from './access-diff.ts'
import type { PermissionCatalogue } from './engine/catalogue.ts'
import type { Grants } from './grants.ts'
import { permissionHandlers } from './permission-handlers.ts'
import type { RoleLevel, RoleRow } from './role.ts'
import { roleRows } from './role-store.ts'
import { templateRole, templateRoles } from './template-roles.ts'

export interface RoleServiceParts {
  readonly scopes: Scopes
  readonly directory: Directory
  readonly capabilities: PlatformCapabilities
  readonly catalogue: PermissionCatalogue
  readonly tokens: PageTokens
  readonly ids: Ids
  readonly clock: Clock
  readonly grants: Grants
  readonly demands: Demands
  readonly diffs: AccessDiffs
}

const listSpec: ListSpec = {
  tieBreak: 'slug',
  fields: {
    name: { property: 'slug', kind: 'text', order: true },
    display_name: { property: 'displayName', kind: 'text', order: true },
    create_time: { property: 'createTime', kind: 'time', filter: true, order: true },
  },
}

export function createRoleService(parts: RoleServiceParts): ServiceImplementation {
  return implement(RoleService, {
    ...permissionHandlers(parts),
    async createRole(request, call) {
      const { validateOnly } = request
      const target = `${request.parent}/roles/${request.roleId}`
      const mutation = {
        ...mutationOf(call, CreateRoleResponseSchema, { target, validateOnly }),
        ...parts.diffs.opening(validateOnly),
      }
      if (request.parent === '') throw systemRole()
      await parts.grants.followCatalogue(request.role?.permissions ?? [])
      return parts.scopes.write(contextOf(call), mutation, async (unit) => {
        const row = await insertRole(parts, unit, call, request.role, request.roleId)
        const diff = await parts.diffs.field(unit, request.validateOnly)
        return create(CreateRoleResponseSchema, { role: roleToProto(unit, row), revision: unit.revision, ...diff })
      })
    },
    async getRole(request, call) {
      if (call.context === undefined)
        return create(GetRoleResponseSchema, { role: templateRole(parts.catalogue, request.name, callerOf(call)) })
      const role = await parts.scopes.read(call.context, async (scope) => {
        const row = await roleRows(scope).find({ slug: lastSegment(request.name) })
        if (row === undefined) throw notFound()
        return roleToProto(scope, row)
      })
      return create(GetRoleResponseSchema, { role })
    },
    async listRoles(request, call) {
      if (call.context === undefined)
        return create(ListRolesResponseSchema, { roles: templateRoles(parts.catalogue, callerOf(call)) })
      const binding = pageBindingOf(call, [request.parent, request.filter, request.orderBy])
      return parts.scopes.read(call.context, async (scope) => {
        const page = await listPage(roleRows(scope), listSpec, request, binding, parts.tokens)
        return create(ListRolesResponseSchema, {
          roles: page.rows.map((row) => roleToProto(scope, row)),
          nextPageToken: page.nextPageToken,
        })
      })
    },
    updateRole: (request, call) => updateRole(parts, request, call),
    deleteRole: (request, call) => deleteRole(parts, request, call),
  })
}

async function insertRole(
  parts: RoleServiceParts,
  unit: Unit,
  call: Call,
  role: Role | undefined,
  slug: string,
): Promise<RoleRow> {
  const permissions = role?.permissions ?? []
  parts.grants.assertCatalogued(permissions)
  await parts.grants.assertHolds(call, unit.context, permissions)
  parts.grants.assertOfTenants(permissions)
  await assertNeverUsed(unit, 'roles', slug)
  if ((await roleRows(unit).find({ slug })) !== undefined) {
    throw new TenureError('ALREADY_EXISTS', `There is a role ${JSON.stringify(slug)} already. Choose another name.`)
  }
  const row: RoleRow = {
    tenantId: unit.context.tenantId,
    roleId: parts.ids.next(),
    slug,
    displayName: role?.displayName ?? '',
    permissions,
    assignableAt: levelsFrom(role),
    version: 1,
    createTime: unit.now,
    updateTime: unit.now,
  }
  await roleRows(unit).insert(row)
  unit.note('permissions', permissions)
  return row
}

async function updateRole(parts: RoleServiceParts, request: UpdateRoleRequest, call: Call) {
  const { role } = request
  if (role === undefined || role.name === '') throw invalidField('role.name', 'must be set')
  if (call.context === undefined) throw systemRole()
  await parts.grants.followCatalogue(role.permissions)
  const fields = fieldsToUpdate(request.updateMask?.paths ?? [], ['display_name', 'permissions', 'assignable_at'], {
    display_name: role.displayName !== '',
    permissions: role.permissions.length > 0,
    assignable_at: role.assignableAt.length > 0,
  })
  const { validateOnly } = request
  const mutation = {
    ...mutationOf(call, UpdateRoleResponseSchema, { target: role.name, validateOnly }),
    ...parts.diffs.opening(validateOnly),
  }
  return parts.scopes.write(call.context, mutation, async (unit) => {
    const found = await roleRows(unit).find({ slug: lastSegment(role.name) })
    if (found === undefined && !request.allowMissing) throw notFound()
    if (found === undefined) await parts.demands.demand(call, call.context, 'roles.create')
    const row =
      found === undefined
        ? await insertRole(parts, unit, call, role, lastSegment(role.name))
        : await changeRole(parts, unit, call, role, found, fields)
    const diff = await parts.diffs.field(unit, request.validateOnly)
    return create(UpdateRoleResponseSchema, { role: roleToProto(unit, row), revision: unit.revision, ...diff })
  })
}

async function changeRole(
  parts: RoleServiceParts,
  unit: Unit,
  call: Call,
  role: Role,
  found: RoleRow,
  fields: ReadonlySet<string>,
): Promise<RoleRow> {
  checkEtag(role.etag, found.roleId, found.version)
  // What the role had is taken away, what it gets is given, to everyone who has it: the caller must hold both.
  await parts.grants.assertHolds(call, unit.context, found.permissions)
  if (fields.has('permissions')) {
    parts.grants.assertCatalogued(role.permissions)
    await parts.grants.assertHolds(call, unit.context, role.permissions)
    parts.grants.assertOfTenants(role.permissions)
    await assertHoldsWhereItReaches(parts, unit, call, found, role.permissions)
    unit.note('permissions', role.permissions)
  }
  const written = {
    ...(fields.has('display_name') ? { displayName: role.displayName } : {}),
    ...(fields.has('permissions') ? { permissions: role.permissions } : {}),
    ...(fields.has('assignable_at') ? { assignableAt: levelsFrom(role) } : {}),
    version: found.version + 1,
    updateTime: unit.now,
  }
  unit.note('fields', [...fields].sort())
  await roleRows(unit).update(found.roleId, written)
  return { ...found, ...written }
}

/** A role reaches wherever somebody has it: adding to it gives in every workspace, so it must be held in every workspace. */
async function assertHoldsWhereItReaches(
  parts: RoleServiceParts,
  unit: Unit,
  call: Call,
  found: RoleRow,
  permissions: readonly string[],
): Promise<void> {
  const added = permissions.filter((permission) => !found.permissions.includes(permission))
  await parts.grants.assertHolds(call, unit.context, added, { everyWorkspace: true })
}

function deleteRole(parts: RoleServiceParts, request: DeleteRoleRequest, call: Call) {
  if (call.context === undefined) throw systemRole()
  const mutation = {
    ...mutationOf(call, DeleteRoleResponseSchema, { target: request.name }),
    allWorkspaces: 'role-removal' as const,
  }
  return parts.scopes.write(call.context, mutation, async (unit) => {
    const found = await roleRows(unit).find({ slug: lastSegment(request.name) })
    if (found === undefined) throw notFound()
    checkEtag(request.etag, found.roleId, found.version)
    await parts.grants.assertHolds(call, unit.context, found.permissions)
    const holders = await membershipsWithRole(unit, found.roleId)
    if (holders.length > 0 && !request.force) {
      throw new TenureError(
        'RESOURCE_IN_USE',
        `${holders.length} memberships give this role. Change them first, or set force to take it out of them.`,
      )
    }
    for (const holder of holders) await takeRoleFrom(unit, holder, found.roleId)
    await roleRows(unit).delete(found.roleId)
    await retireName(unit, 'roles', found.slug)
    unit.note('memberships_changed', holders.length)
    return create(DeleteRoleResponseSchema, { role: roleToProto(unit, found), revision: unit.revision })
  })
}

function systemRole(): TenureError {
  return new TenureError(
    'SYSTEM_RESOURCE',
    'Templates are built in. Make a role of the tenant instead: parent tenants/{tenant}.',
  )
}

function levelsFrom(role: Role | undefined): RoleLevel[] {
  return (role?.assignableAt ?? []).map((level) => (level === Role_Level.WORKSPACE ? 'WORKSPACE' : 'TENANT'))
}

function roleToProto({ context }: Pick<ReadScope, 'context'>, row: RoleRow): Role {
  return create(RoleSchema, {
    name: `tenants/${context.tenantSlug}/roles/${row.slug}`,
    uid: row.roleId,
    etag: etagOf(row.roleId, row.version),
    createTime: timestampFromDate(row.createTime),
    updateTime: timestampFromDate(row.updateTime),
    displayName: row.displayName,
    permissions: [...row.permissions],
    assignableAt: row.assignableAt.map((level) => Role_Level[level]),
    system: false,
  })
}
