import { TenureError } from '../base/errors.ts'
import { tenantLevel } from '../base/ids.ts'
import { retireName } from '../tenancy/retired-names.ts'
import type { Rows } from '../tenancy/rows.ts'
import type { ReadScope, Unit } from '../tenancy/tenant-unit.ts'
import { isStandingOwner, type MembershipRow } from './membership.ts'
import { MembershipTable } from './membership-table.ts'
import { serviceAccountRows } from './service-account-store.ts'
import { userRows } from './user-store.ts'

/** Memberships of the scope's place: of the tenant itself, or of one workspace. */
export function membershipRows(scope: ReadScope): Rows<MembershipRow> {
  return scope.rows(MembershipTable)
}

/** Memberships of a principal at every place of the tenant. The unit must be opened for `principal-removal`. */
export function membershipsOfPrincipal(unit: Unit, principalId: string): Promise<MembershipRow[]> {
  return unit.rowsOfAllWorkspaces(MembershipTable).all({ principalId })
}

/** Memberships that give a role, at every place of the tenant. The unit must be opened for `role-removal`. */
export async function membershipsWithRole(unit: Unit, roleId: string): Promise<MembershipRow[]> {
  const all = await unit.rowsOfAllWorkspaces(MembershipTable).allGenuine({})
  return all.filter(({ roles }) => roles.includes(roleId))
}

export async function removeMembership(unit: Unit, row: MembershipRow): Promise<void> {
  await unit.rowsOfAllWorkspaces(MembershipTable).delete(row.membershipId)
  await retireName(unit, 'memberships', row.slug, row.workspaceId)
}

export async function takeRoleFrom(unit: Unit, row: MembershipRow, roleId: string): Promise<void> {
  await unit.rowsOfAllWorkspaces(MembershipTable).update(row.membershipId, {
    roles: row.roles.filter((each) => each !== roleId),
    version: row.version + 1,
    updateTime: unit.now,
  })
}

/**
 * After a change that took an owner away: at least one is left, and can act. Runs under the lock of the tenant's head, so
 * that two who remove each other at once cannot both see the other one stay.
 */
export async function assertOwnerRemains(unit: Unit): Promise<void> {
  const members = await unit.rowsOfAllWorkspaces(MembershipTable).allGenuine({ workspaceId: tenantLevel })
  for (const owner of members.filter(isStandingOwner)) if (await isActive(unit, owner)) return
  throw new TenureError('LAST_OWNER', 'A tenant keeps at least one owner who can act. Make another owner first.')
}

async function isActive(unit: Unit, { principalKind, principalId }: MembershipRow): Promise<boolean> {
  const principal =
    principalKind === 'user'
      ? await userRows(unit).findGenuine({ userId: principalId })
      : await serviceAccountRows(unit).findGenuine({ serviceAccountId: principalId })
  return principal?.state === 'ACTIVE'
}
