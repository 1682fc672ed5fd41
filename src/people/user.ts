export interface UserRow {
  readonly tenantId: string
  readonly userId: string
  readonly slug: string
  readonly issuer: string
  readonly subject: string
  readonly email: string
  readonly emailVerified: boolean
  readonly displayName: string
  readonly state: 'ACTIVE' | 'DISABLED'
  readonly version: number
  readonly createTime: Date
  readonly updateTime: Date
}
