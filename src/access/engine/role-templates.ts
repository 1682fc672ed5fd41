import type { Bitset } from './bitset.ts'
import type { CataloguedPermission, PermissionCatalogue } from './catalogue.ts'

/** Reads that tell who may do what, or who did what. A viewer of a tenant's data is not a viewer of its locks. */
const sensitiveReads: ReadonlySet<string> = new Set([
  'access.check',
  'apiKeys.get',
  'apiKeys.list',
  'audit.list',
  'audit.verify',
  // Keeps values from those who may only look.
  'secrets.access',
])

type Rule = (permission: CataloguedPermission) => boolean

const isOwner: Rule = ({ platformOnly }) => !platformOnly
const isViewer: Rule = (permission) =>
  isOwner(permission) && permission.effect === 'READ' && !sensitiveReads.has(permission.name)
const isMember: Rule = (permission) =>
  isViewer(permission) || (isOwner(permission) && permission.effect === 'WRITE' && permission.service !== 'tenure')

export const platformAdminTemplate = 'roles/platform.admin'

const rules: ReadonlyMap<string, Rule> = new Map<string, Rule>([
  ['roles/owner', isOwner],
  ['roles/admin', (permission) => isOwner(permission) && permission.name !== 'tenants.delete'],
  ['roles/member', isMember],
  ['roles/viewer', isViewer],
  [platformAdminTemplate, () => true],
])

export const templateNames: readonly string[] = [...rules.keys()]

/** Sorted; empty for a name that is no template's. */
export function templatePermissions(catalogue: PermissionCatalogue, name: string): readonly string[] {
  const rule = rules.get(name)
  if (rule === undefined) return []
  return [...catalogue.entries()]
    .filter(rule)
    .map((permission) => permission.name)
    .sort()
}

/** Undefined for a name that is no template's. */
export function templateBits(catalogue: PermissionCatalogue, name: string): Bitset | undefined {
  return rules.has(name) ? catalogue.bitsOf(templatePermissions(catalogue, name)) : undefined
}
