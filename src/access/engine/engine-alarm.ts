import type { TenantId } from '../../base/ids.ts'

/** Something a person must look at; the engine has already failed closed where it says so. */
export interface EngineAlarm {
  /** UNREADABLE_ROW: a row is not what its table promises. REFRESH_FAILED: a snapshot was dropped because a re-read failed. */
  readonly kind: 'UNREADABLE_ROW' | 'REFRESH_FAILED'
  readonly tenantId: TenantId
  readonly table: string
  readonly id: string
  /** Empty where the row does not say. */
  readonly workspaceId: string
  readonly cause?: unknown
}

/** Must not throw. */
export type AlarmSink = (alarm: EngineAlarm) => void
