/** A named value of a workspace; its versions hold what it is. */
export interface SecretRow {
  readonly tenantId: string
  readonly workspaceId: string
  readonly secretId: string
  readonly slug: string
  readonly labels: Readonly<Record<string, string>>
  /** 0: it has none. */
  readonly latestVersion: number
  /** Destroyed ones included. */
  readonly versionCount: number
  readonly version: number
  readonly createTime: Date
  readonly updateTime: Date
}

/** A secret is deleted in one transaction, with all of its versions. */
export const maxVersionsPerSecret = 1_000
