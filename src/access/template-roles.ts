import { create } from '@bufbuild/protobuf'
import { notFound } from '../base/errors.ts'
import { platformTenantId } from '../base/ids.ts'
import { type Role, Role_Level, RoleSchema } from '../gen/tenure/v1/role_pb.ts'
import type { Caller } from '../rpc/call.ts'
import type { PermissionCatalogue } from './engine/catalogue.ts'
import { platformAdminTemplate, templateNames, templatePermissions } from './engine/role-templates.ts'

/** The templates as resources. What they grant follows the catalogue. */
export function templateRoles(catalogue: PermissionCatalogue, caller: Caller): Role[] {
  const platform = caller.tenantId === platformTenantId
  // The platform's own template is no role of a tenant, and no tenant learns what it holds.
  const names = templateNames.filter((name) => platform || name !== platformAdminTemplate)
  return names.map((name) =>
    create(RoleSchema, {
      name,
      displayName: name.slice('roles/'.length),
      permissions: [...templatePermissions(catalogue, name)].sort(),
      assignableAt: name === platformAdminTemplate ? [] : [Role_Level.TENANT, Role_Level.WORKSPACE],
      system: true,
    }),
  )
}

export function templateRole(catalogue: PermissionCatalogue, name: string, caller: Caller): Role {
  const role = templateRoles(catalogue, caller).find((each) => each.name === name)
  if (role === undefined) throw notFound()
  return role
}
