export type RoleLevel = 'TENANT' | 'WORKSPACE'

export interface RoleRow {
  readonly tenantId: string
  readonly roleId: string
  readonly slug: string
  readonly displayName: string
  readonly permissions: readonly string[]
  /** Empty: at both levels. */
  readonly assignableAt: readonly RoleLevel[]
  readonly version: number
  readonly createTime: Date
  readonly updateTime: Date
}
