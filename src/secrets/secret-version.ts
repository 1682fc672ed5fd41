export type SecretVersionState = 'ENABLED' | 'DISABLED' | 'DESTROYED'

export interface SecretVersionRow {
  readonly tenantId: string
  readonly workspaceId: string
  readonly secretVersionId: string
  readonly secretId: string
  /** 1 for the first, one more with every other, no gaps. */
  readonly number: number
  readonly state: SecretVersionState
  readonly payloadBytes: number
  /** A SealedEnvelope; null once destroyed. */
  readonly envelope: Uint8Array | null
  readonly version: number
  readonly createTime: Date
  readonly updateTime: Date
  readonly destroyTime: Date | null
}
