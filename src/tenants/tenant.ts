import { TenureError } from '../base/errors.ts'

/** Where a tenant is in its life. PURGED is the tombstone that keeps its name and uid from ever being given again; nobody is shown one. */
export type TenantState = 'PROVISIONING' | 'ACTIVE' | 'SUSPENDED' | 'DELETED' | 'PURGED'

export type SuspensionMode = 'NONE' | 'READ_ONLY' | 'FULL'

/** The facts of a tenant that its cell owns and the directory mirrors. */
export interface TenantFields {
  readonly tenantId: string
  readonly slug: string
  readonly displayName: string
  readonly state: TenantState
  readonly suspensionMode: SuspensionMode
  readonly suspensionReason: string
  readonly suspensionTime: Date | null
  readonly plan: string
  readonly tier: string
  readonly region: string
  readonly isolation: 'SHARED' | 'DEDICATED'
  readonly cellId: string
  readonly labels: Readonly<Record<string, string>>
  readonly version: number
  readonly createTime: Date
  readonly updateTime: Date
  readonly deleteTime: Date | null
  readonly purgeTime: Date | null
}

/** The head of a tenant: its own fields, and what the kernel keeps there to order all its writes. */
export interface TenantHeadRow extends TenantFields {
  readonly timelineId: string
  readonly placementEpoch: number
  readonly revision: number
  readonly sequence: number
  readonly chainHash: Uint8Array
}

/** What is needed to finish the creation of a tenant that a crash interrupted. */
export interface Provisioning {
  readonly timelineId: string
  readonly initialOwner: { readonly issuer: string; readonly subject: string; readonly email: string } | null
  readonly actor: {
    readonly principal: string
    readonly credential: string
    readonly requestId: string
    readonly clientIp: string
  }
}

/** Where a tenant lives, and a projection of its fields for those who ask about many at once. */
export interface TenantPlacementRow extends TenantFields {
  readonly placementEpoch: number
  /** Null once the tenant has been made in its cell. */
  readonly provisioning: Provisioning | null
}

/** How long a deleted tenant or workspace can be brought back. */
export const undeleteWindowMs = 30 * 24 * 60 * 60 * 1_000

export const defaultPlan = 'default'
export const defaultTier = 'standard'

/** Refuses to bring back what is past its purge time: from then on it may be gone at any moment. */
export function assertUndeletable(purgeTime: Date | null, now: Date): void {
  if (purgeTime === null || purgeTime.getTime() > now.getTime()) return
  throw new TenureError('INVALID_STATE', 'Its purge time has passed; it cannot be brought back any more.', {
    metadata: { state: 'DELETED' },
  })
}
