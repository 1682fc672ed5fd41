export interface ServiceAccountRow {
  readonly tenantId: string
  readonly serviceAccountId: string
  readonly slug: string
  readonly displayName: string
  readonly state: 'ACTIVE' | 'DISABLED'
  readonly version: number
  readonly createTime: Date
  readonly updateTime: Date
}

/** A service account of the platform. Its roles are templates that hold everywhere; tenants' roles do not reach it. */
export interface PlatformServiceAccountRow extends Omit<ServiceAccountRow, 'tenantId'> {
  readonly roles: readonly string[]
}
