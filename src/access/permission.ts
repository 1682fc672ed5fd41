export type PermissionEffect = 'READ' | 'WRITE'

export interface PermissionRow {
  /** `noun.verb` */
  readonly permissionId: string
  readonly uid: string
  readonly description: string
  readonly effect: PermissionEffect
  readonly service: string
  readonly version: number
  readonly createTime: Date
  readonly updateTime: Date
}

/** The service that Tenure's own permissions belong to: built in, never deleted. */
export const ownService = 'tenure'
