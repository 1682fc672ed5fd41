import { tenantLevel } from '../base/ids.ts'

export type PrincipalKind = 'user' | 'service_account'

export interface MembershipRow {
  readonly tenantId: string
  /** The nil UUID for a tenant membership. */
  readonly workspaceId: string
  readonly membershipId: string
  readonly slug: string
  readonly principalKind: PrincipalKind
  readonly principalId: string
  /** Role uids, or the names of templates (`roles/owner`). */
  readonly roles: readonly string[]
  readonly reachAll: boolean
  readonly expireTime: Date | null
  readonly version: number
  readonly createTime: Date
  readonly updateTime: Date
}

/** The template whose holders own the tenant. */
export const ownerRole = 'roles/owner'

/** Whether this membership makes its principal an owner for good: one that ends by itself would leave a tenant without any. */
export function isStandingOwner(row: Pick<MembershipRow, 'roles' | 'expireTime' | 'workspaceId'>): boolean {
  return row.workspaceId === tenantLevel && row.expireTime === null && row.roles.includes(ownerRole)
}
