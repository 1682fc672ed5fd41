import { create } from '@bufbuild/protobuf'
import { notFound } from '../base/errors.ts'
import { type Role, Role_Level, RoleSchema } from '../gen/tenure/v1/role_pb.ts'
import type { PermissionCatalogue } from './engine/catalogue.ts'
import { platformAdminTemplate, templateNames, templatePermissions } from './engine/role-templates.ts'

/** The templates as resources. What they grant follows the catalogue. */
export function templateRoles(catalogue: PermissionCatalogue): Role[] {
  return templateNames.map((name) =>
    create(RoleSchema, {
      name,
      displayName: name.slice('roles/'.length),
      permissions: [...templatePermissions(catalogue, name)].sort(),
      assignableAt: name === platformAdminTemplate ? [] : [Role_Level.TENANT, Role_Level.WORKSPACE],
      system: true,
    }),
  )
}

export function templateRole(catalogue: PermissionCatalogue, name: string): Role {
  const role = templateRoles(catalogue).find((each) => each.name === name)
  if (role === undefined) throw notFound()
  return role
}
