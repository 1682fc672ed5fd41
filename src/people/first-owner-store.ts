import { type Ids, nilUuid } from '../base/ids.ts'
import { slugFromUid } from '../base/slug.ts'
import type { FirstRow } from '../tenancy/provisioning.ts'
import { ownerRole } from './membership.ts'
import { MembershipTable } from './membership-table.ts'
import { UserTable } from './user-table.ts'

export interface FirstOwner {
  readonly issuer: string
  readonly subject: string
  readonly email: string
}

/** The rows that make an outside identity the owner of a tenant that is being made. */
export function firstOwnerRows(ids: Ids, tenantId: string, createTime: Date, owner: FirstOwner): FirstRow[] {
  const userId = ids.next()
  const membershipId = ids.next()
  const common = { tenantId, version: 1, createTime, updateTime: createTime }
  const user = {
    ...common,
    ...owner,
    userId,
    slug: slugFromUid('user', userId),
    emailVerified: false,
    displayName: '',
    state: 'ACTIVE',
  }
  const membership = {
    ...common,
    workspaceId: nilUuid,
    membershipId,
    slug: slugFromUid('member', membershipId),
    principalKind: 'user',
    principalId: userId,
    roles: [ownerRole],
    reachAll: true,
    expireTime: null,
  }
  return [
    { table: UserTable as FirstRow['table'], row: user },
    { table: MembershipTable as FirstRow['table'], row: membership },
  ]
}
