import type { Grants } from '../access/grants.ts'
import { TenureError } from '../base/errors.ts'
import { hasKeys, revokeKeysOf } from '../credentials/api-key-store.ts'
import type { Call } from '../rpc/call.ts'
import type { Unit } from '../tenancy/tenant-unit.ts'
import { isStandingOwner } from './membership.ts'
import { assertOwnerRemains, membershipsOfPrincipal, removeMembership } from './membership-store.ts'

export interface RemovalParts {
  readonly grants: Grants
  readonly call: Call
}

/**
 * Takes what a principal has along before the principal itself goes. Only for a caller who holds as much as it does: else
 * an administrator could unseat an owner by removing the person. The unit must be opened for `principal-removal`.
 */
export async function removeWhatItHas(
  { grants, call }: RemovalParts,
  unit: Unit,
  principalId: string,
  force: boolean,
): Promise<void> {
  const memberships = await membershipsOfPrincipal(unit, principalId)
  await grants.assertMayTouch(call, unit, memberships)
  if (!force && (memberships.length > 0 || (await hasKeys(unit, principalId)))) {
    throw new TenureError(
      'RESOURCE_IN_USE',
      'It has memberships or keys. Remove them first, or set force to remove them with it.',
    )
  }
  for (const membership of memberships) await removeMembership(unit, membership)
  unit.note('memberships_removed', memberships.length)
  unit.note('keys_revoked', await revokeKeysOf(unit, principalId))
  if (memberships.some(isStandingOwner)) await assertOwnerRemains(unit)
}

/**
 * Called where one is disabled or enabled: by a caller who holds as much as it does, and one that cannot act owns nothing.
 * The unit must be opened for `principal-removal`.
 */
export async function assertMaySwitch({ grants, call }: RemovalParts, unit: Unit, principalId: string): Promise<void> {
  const memberships = await membershipsOfPrincipal(unit, principalId)
  await grants.assertMayTouch(call, unit, memberships)
  if (memberships.some(isStandingOwner)) await assertOwnerRemains(unit)
}
