/** A statement that a guard could not prove to stay within its tenant, and how often it was seen. */
export interface GuardViolationRow {
  readonly violationId: string
  /** Hash of what makes two of them the same. */
  readonly fingerprint: Uint8Array
  /** `tenure`, or the service that reported it. */
  readonly source: string
  /** Empty where there was no tenant. */
  readonly tenantUid: string
  readonly workspaceUid: string
  readonly reason: string
  readonly statement: string
  readonly guardMode: 'ENFORCE' | 'REPORT'
  readonly seenCount: number
  readonly firstTime: Date
  readonly lastTime: Date
}

/** As it was seen: without what the record adds. */
export type SeenViolation = Pick<
  GuardViolationRow,
  'source' | 'tenantUid' | 'workspaceUid' | 'reason' | 'statement' | 'guardMode' | 'seenCount'
>

/** The source of what the server's own guard refused. */
export const ownSource = 'tenure'

/** How long one is kept after it was last seen, and a report after it was made. */
export const keepMs = 90 * 24 * 60 * 60 * 1_000
