/** PURGED: its rows are being removed; nobody is shown it any more. */
export type WorkspaceState = 'ACTIVE' | 'ARCHIVED' | 'DELETED' | 'PURGED'

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

export type LivingWorkspace = WorkspaceRow & { readonly state: Exclude<WorkspaceState, 'PURGED'> }

export function isLiving(row: WorkspaceRow): row is LivingWorkspace {
  return row.state !== 'PURGED'
}

/** The collection that names of workspaces are retired in. */
export const workspaceNames = 'workspaces'
