import { invalidField } from '../base/errors.ts'
import { expireTimeFrom } from '../base/expire-time.ts'
import { tenantLevel } from '../base/ids.ts'
import { slugFromUid } from '../base/slug.ts'
import { type Membership, Membership_WorkspaceReach } from '../gen/tenure/v1/membership_pb.ts'
import type { Call } from '../rpc/call.ts'
import { assertNeverUsed } from '../tenancy/retired-names.ts'
import type { Unit } from '../tenancy/tenant-unit.ts'
import type { MembershipRow } from './membership.ts'
import type { NameLookup } from './membership-proto.ts'
import type { MembershipServiceParts } from './membership-service.ts'
import { membershipRows } from './membership-store.ts'
import { principalNamed } from './principal-named.ts'

/** Makes one membership at the unit's place, after the caller was found to hold everything it gives. */
export async function insertMembership(
  parts: Pick<MembershipServiceParts, 'ids' | 'grants'>,
  unit: Unit,
  call: Call,
  membership: Membership,
  id: string,
  names: NameLookup,
): Promise<MembershipRow> {
  if (membership.member.case === undefined)
    throw invalidField('membership.member', 'must name a user or a service account')
  if (membership.roles.length === 0)
    throw invalidField('membership.roles', 'must have at least one role, such as roles/viewer')
  const kind = membership.member.case === 'user' ? 'user' : 'service_account'
  const principal = await principalNamed(unit, kind, membership.member.value)
  const reachAll = reachFrom(membership, unit)
  names.know(principal.principalId, membership.member.value)
  const roles = await rolesToGive(parts, unit, call, membership.roles, reachAll)
  for (const [at, reference] of roles.entries()) names.know(reference, membership.roles[at] ?? '')
  const membershipId = parts.ids.next()
  const slug = id === '' ? slugFromUid('member', membershipId) : id
  // Made from a new uid, it cannot have been used. That name and principal are free here, unique keys say: asking first
  // would be two round trips under the lock of the head.
  if (id !== '') await assertNeverUsed(unit, 'memberships', slug)
  const row: MembershipRow = {
    tenantId: unit.context.tenantId,
    workspaceId: unit.context.workspaceId,
    membershipId,
    slug,
    principalKind: principal.principalKind,
    principalId: principal.principalId,
    roles,
    reachAll,
    expireTime: expireTimeFrom('membership.expire_time', membership.expireTime, unit.now.getTime()),
    version: 1,
    createTime: unit.now,
    updateTime: unit.now,
  }
  await membershipRows(unit).insert(row)
  return row
}

/** References of the roles named, found and allowed to be given by this caller at this place. */
export async function rolesToGive(
  { grants }: Pick<MembershipServiceParts, 'grants'>,
  unit: Unit,
  call: Call,
  names: readonly string[],
  reachAll: boolean,
): Promise<string[]> {
  const level = unit.context.workspaceId === tenantLevel ? 'TENANT' : 'WORKSPACE'
  const roles = await grants.rolesNamed(unit, names, level)
  const given = new Set(roles.flatMap(({ permissions }) => permissions))
  await grants.assertHolds(call, unit.context, given, { everyWorkspace: reachAll })
  return roles.map(({ reference }) => reference)
}

export function reachFrom(membership: Membership, unit: Unit): boolean {
  const reachAll = membership.workspaceReach === Membership_WorkspaceReach.ALL
  if (reachAll && unit.context.workspaceId !== tenantLevel) {
    throw invalidField(
      'membership.workspace_reach',
      'is for tenant memberships; a workspace membership reaches its workspace',
    )
  }
  return reachAll
}
