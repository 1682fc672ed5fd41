export type WorkspaceState = 'ACTIVE' | 'ARCHIVED' | 'DELETED'

export interface WorkspaceRow {
  readonly tenantId: string
  readonly workspaceId: string
  readonly slug: string
  readonly displayName: string
  readonly state: WorkspaceState
  readonly labels: Readonly<Record<string, string>>
  readonly version: number
  readonly createTime: Date
  readonly updateTime: Date
  readonly deleteTime: Date | null
  readonly purgeTime: Date | null
}
