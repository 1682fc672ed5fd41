import type { Clock } from '../base/clock.ts'
import { invalidField, notFound, TenureError } from '../base/errors.ts'
import { platformTenantId, tenantLevel } from '../base/ids.ts'
import type { Call } from '../rpc/call.ts'
import type { TenantContext } from '../tenancy/tenant-context.ts'
import type { ReadScope } from '../tenancy/tenant-unit.ts'
import type { Bitset } from './engine/bitset.ts'
import type { PermissionCatalogue } from './engine/catalogue.ts'
import { platformAdminTemplate, templateNames, templatePermissions } from './engine/role-templates.ts'
import type { TenantSnapshot } from './engine/tenant-snapshot.ts'
import type { Engines } from './engines.ts'
import { everyWorkspace, type PowerPlace, powerOfCall, powerOfPrincipal } from './power.ts'
import type { RoleLevel } from './role.ts'
import { roleRows } from './role-store.ts'

/** A role as a membership gives it. */
export interface GrantedRole {
  /** What is stored: the uid of a tenant's role, or the name of a template. */
  readonly reference: string
  readonly permissions: readonly string[]
}

/** Nobody gives what they do not hold: the one place that says so, for roles, memberships and keys. */
export interface Grants {
  /** The roles behind the names, of this tenant or templates. Unknown and foreign ones are NOT_FOUND alike. */
  rolesNamed(scope: ReadScope, names: readonly string[], level: RoleLevel): Promise<GrantedRole[]>
  /**
   * Throws GRANT_EXCEEDS_CALLER unless the caller holds each of them at the context's place now, with the power of the
   * credential it came with. `everyWorkspace`: holds them in every workspace, those to come included.
   */
  assertHolds(
    call: Call,
    context: TenantContext | undefined,
    permissions: Iterable<string>,
    options?: { readonly everyWorkspace?: boolean },
  ): Promise<void>
  /**
   * Throws GRANT_EXCEEDS_CALLER unless the caller holds what each of these memberships gives, at the place each lies in:
   * who holds less may neither take them away nor touch the principal that has them.
   */
  assertMayTouch(call: Call, scope: ReadScope, memberships: readonly HeldMembership[]): Promise<void>
  /**
   * Throws GRANT_EXCEEDS_CALLER unless the caller holds, at every place where a key made at the context's place would
   * act, what its owner holds there now (narrowed to `narrowing` unless that is empty).
   */
  assertMayActFor(
    call: Call,
    context: TenantContext | undefined,
    owner: { readonly id: string },
    narrowing: readonly string[],
  ): Promise<void>
  /** What a template grants, the platform's own included. Throws INVALID_FIELD for a name that is none. */
  templatePermissionsOf(name: string): readonly string[]
  /** Throws UNKNOWN_PERMISSION for one that is not in the catalogue. */
  assertCatalogued(permissions: readonly string[]): void
  /** Throws INVALID_FIELD for one of the platform alone, which no role of a tenant could give to anybody. */
  assertOfTenants(permissions: readonly string[]): void
  /** To be asked before a unit that will assert it: another server may have made one of them a moment ago. */
  followCatalogue(permissions: readonly string[]): Promise<void>
}

/** A membership as far as its power goes. */
export interface HeldMembership {
  /** The nil UUID for one of the tenant. */
  readonly workspaceId: string
  /** Stored references. */
  readonly roles: readonly string[]
  readonly reachAll: boolean
}

export interface GrantsParts {
  readonly engines: Engines
  readonly catalogue: PermissionCatalogue
  readonly clock: Clock
  /** Resolves when the catalogue has every change that was committed before the call. */
  readonly followDirectory: () => Promise<void>
}

export function createGrants(parts: GrantsParts): Grants {
  return {
    async rolesNamed(scope, names, level) {
      const roles: GrantedRole[] = []
      for (const name of names) roles.push(await roleNamed(parts, scope, name, level))
      return roles
    },
    assertMayTouch: (call, scope, memberships) => assertMayTouch(parts, call, scope, memberships),
    assertHolds: (call, context, permissions, options) =>
      assertHolds(parts, call, context, permissions, options?.everyWorkspace ?? false),
    assertMayActFor: (call, context, owner, narrowing) => assertMayActFor(parts, call, context, owner, narrowing),
    templatePermissionsOf(name) {
      if (isTemplate(name)) return templatePermissions(parts.catalogue, name)
      throw invalidField('roles', `${JSON.stringify(name)} is none of ${templateNames.join(', ')}`)
    },
    async followCatalogue(permissions) {
      if (!permissions.every((permission) => parts.catalogue.has(permission))) await parts.followDirectory()
    },
    assertCatalogued(permissions) {
      const unknown = permissions.find((permission) => !parts.catalogue.has(permission))
      if (unknown === undefined) return
      throw new TenureError(
        'UNKNOWN_PERMISSION',
        `${JSON.stringify(unknown)} is not in the catalogue. Create the permission first, or mend its name.`,
        { metadata: { permission: unknown } },
      )
    },
    assertOfTenants(permissions) {
      const ofPlatform = permissions.find((permission) => parts.catalogue.find(permission)?.platformOnly === true)
      if (ofPlatform === undefined) return
      throw invalidField(
        'role.permissions',
        `${JSON.stringify(ofPlatform)} is of the platform alone and grants nothing in a tenant; leave it out`,
      )
    },
  }
}

function isTemplate(reference: string): boolean {
  return templateNames.includes(reference)
}

async function roleNamed(parts: GrantsParts, scope: ReadScope, name: string, level: RoleLevel): Promise<GrantedRole> {
  if (name.startsWith('roles/')) {
    // The platform's own template is no role of a tenant, and no tenant learns that it exists.
    if (!isTemplate(name) || name === platformAdminTemplate) throw notFound()
    return { reference: name, permissions: templatePermissions(parts.catalogue, name) }
  }
  const prefix = `tenants/${scope.context.tenantSlug}/roles/`
  if (!name.startsWith(prefix)) throw notFound()
  const row = await roleRows(scope).findGenuine({ slug: name.slice(prefix.length) })
  if (row === undefined) throw notFound()
  if (row.assignableAt.length > 0 && !row.assignableAt.includes(level)) {
    throw new TenureError(
      'ROLE_NOT_ASSIGNABLE',
      `${name} cannot be given at this level, only at ${row.assignableAt.join(' or ')}. Change the role's assignable_at, or give another role.`,
    )
  }
  return { reference: row.roleId, permissions: row.permissions }
}

async function assertMayTouch(
  parts: GrantsParts,
  call: Call,
  scope: ReadScope,
  memberships: readonly HeldMembership[],
): Promise<void> {
  const heldAt = await powerOfCall(parts, call)
  const snapshot = await snapshotOf(parts, scope.context)
  for (const { workspaceId, roles, reachAll } of memberships) {
    const held = reaching(
      heldAt,
      workspaceId === tenantLevel ? undefined : snapshot.workspaceById(workspaceId),
      reachAll,
    )
    for (const reference of roles) {
      assertContains(parts.catalogue, held, await powerOfRole(parts, scope, reference))
    }
  }
}

/** A role that is not there, or that somebody else wrote, may be any role once it is put back. */
async function powerOfRole({ catalogue }: GrantsParts, scope: ReadScope, reference: string): Promise<Bitset> {
  if (isTemplate(reference)) return catalogue.bitsOf(templatePermissions(catalogue, reference))
  const role = await roleRows(scope).findGenuine({ roleId: reference })
  return role === undefined ? catalogue.tenantGrantable : catalogue.bitsOf(role.permissions)
}

async function assertHolds(
  parts: GrantsParts,
  call: Call,
  context: TenantContext | undefined,
  permissions: Iterable<string>,
  inEveryWorkspace: boolean,
): Promise<void> {
  const heldAt = await powerOfCall(parts, call)
  const workspace = context?.workspaceSlug
    ? (await snapshotOf(parts, context)).workspaceBySlug(context.workspaceSlug)
    : undefined
  // What the catalogue does not have grants nothing to anybody, so there is nothing to hold.
  assertContains(parts.catalogue, reaching(heldAt, workspace, inEveryWorkspace), parts.catalogue.bitsOf(permissions))
}

/** At every place where the key will act: whoever makes it must hold there what its owner holds. */
async function assertMayActFor(
  parts: GrantsParts,
  call: Call,
  context: TenantContext | undefined,
  owner: { readonly id: string },
  narrowing: readonly string[],
): Promise<void> {
  const heldAt = await powerOfCall(parts, call)
  const snapshot = await snapshotOf(parts, context)
  const principal = snapshot.principalById(owner.id)
  if (principal === undefined) throw notFound()
  const nowMs = parts.clock.nowMs()
  const bits = narrowing.length === 0 ? undefined : parts.catalogue.bitsOf(narrowing)
  for (const place of placesOfKey(snapshot, context)) {
    const given = powerOfPrincipal(snapshot, principal, place, nowMs)
    assertContains(parts.catalogue, heldAt(place), bits === undefined ? given : given.intersect(bits))
  }
}

/** Of the tenant the call acts in; of the platform when it acts in none. */
async function snapshotOf({ engines }: GrantsParts, context: TenantContext | undefined): Promise<TenantSnapshot> {
  const snapshot = await engines.of(context?.tenantId ?? platformTenantId)
  if (snapshot === undefined) throw notFound()
  return snapshot
}

/** What is held at the place, and where it must reach everywhere, in every workspace as well. */
function reaching(heldAt: (place: PowerPlace) => Bitset, place: PowerPlace, everywhere: boolean): Bitset {
  return everywhere ? heldAt(place).intersect(heldAt(everyWorkspace)) : heldAt(place)
}

function placesOfKey(snapshot: TenantSnapshot, context: TenantContext | undefined): PowerPlace[] {
  if (context?.workspaceSlug) return [snapshot.workspaceBySlug(context.workspaceSlug)]
  return [undefined, everyWorkspace, ...snapshot.workspaces()]
}

function assertContains(catalogue: PermissionCatalogue, held: Bitset, given: Bitset): void {
  if (held.containsAll(given)) return
  const missing = given.indexes().find((index) => !held.has(index))
  throw exceedsCaller((missing === undefined ? undefined : catalogue.nameAt(missing)) ?? '')
}

function exceedsCaller(permission: string): TenureError {
  return new TenureError(
    'GRANT_EXCEEDS_CALLER',
    `This would give ${permission}, which the caller does not hold there. Ask somebody who holds it, or leave it out.`,
    { metadata: { permission } },
  )
}
