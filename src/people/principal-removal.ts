import { TenureError } from '../base/errors.ts'
import { hasKeys, revokeKeysOf } from '../credentials/api-key-store.ts'
import type { Unit } from '../tenancy/scope.ts'
import { isStandingOwner } from './membership.ts'
import { assertOwnerRemains, membershipsOfPrincipal, removeMembership } from './membership-store.ts'

/** Takes what a principal has along before the principal itself goes. The unit must be opened for `principal-removal`. */
export async function removeWhatItHas(unit: Unit, principalId: string, force: boolean): Promise<void> {
  const memberships = await membershipsOfPrincipal(unit, principalId)
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

/** A principal that cannot act owns nothing: called after one was disabled. */
export async function assertOwnerRemainsWithout(unit: Unit, principalId: string): Promise<void> {
  const memberships = await membershipsOfPrincipal(unit, principalId)
  if (memberships.some(isStandingOwner)) await assertOwnerRemains(unit)
}
