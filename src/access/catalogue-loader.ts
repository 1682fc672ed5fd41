import type { Clock } from '../base/clock.ts'
import type { Ids } from '../base/ids.ts'
import type { Directory } from '../tenancy/directory.ts'
import type { PlatformCapability } from '../tenancy/platform-capability.ts'
import type { CataloguedPermission, PermissionCatalogue } from './engine/catalogue.ts'
import { ownPermissions } from './own-permissions.ts'
import { ownService } from './permission.ts'
import { permissionRows } from './permission-store.ts'

/** Writes Tenure's own permissions beside those of the products: once for each version that brings new ones. */
export async function seedOwnPermissions(
  directory: Directory,
  capability: PlatformCapability<'permission-catalogue'>,
  { clock, ids }: { readonly clock: Clock; readonly ids: Ids },
): Promise<void> {
  const known = await directory.read(capability, (scope) => permissionRows(scope).all({ service: ownService }))
  const names = new Set(known.map(({ permissionId }) => permissionId))
  const missing = ownPermissions.filter(({ name }) => !names.has(name))
  if (missing.length === 0) return
  const now = new Date(clock.nowMs())
  const common = { service: ownService, version: 1, createTime: now, updateTime: now }
  await directory.writeUnlogged(capability, (scope) =>
    permissionRows(scope).insertMany(
      missing.map(({ name, effect, description }) => ({
        ...common,
        permissionId: name,
        uid: ids.next(),
        effect,
        description,
      })),
    ),
  )
}

/** Brings the catalogue in memory to what the directory holds. */
export async function loadCatalogue(
  directory: Directory,
  capability: PlatformCapability<'permission-catalogue'>,
  catalogue: PermissionCatalogue,
): Promise<void> {
  const rows = await directory.read(capability, (scope) => permissionRows(scope).allGenuine({}))
  // What Tenure's own permissions are, this version of it says, whatever the rows that list them hold.
  const own = ownPermissions.map(({ name, effect, platformOnly }) => ({
    name,
    effect,
    service: ownService,
    platformOnly,
  }))
  const names = new Set(own.map(({ name }) => name))
  const ofProducts: CataloguedPermission[] = rows
    .filter(({ permissionId, service }) => !names.has(permissionId) && service !== ownService)
    .map(({ permissionId, effect, service }) => ({ name: permissionId, effect, service, platformOnly: false }))
  catalogue.replaceAll([...own, ...ofProducts])
}
