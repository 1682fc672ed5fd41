/** How one part of an installation is. */
export interface Examined {
  readonly part: 'database' | 'schema' | 'keyring' | 'clock' | 'ports' | 'guard' | 'feed' | 'audit'
  readonly state: 'ok' | 'warning' | 'failed'
  /** What was seen, and where it is not ok what to do next. */
  readonly text: string
}

export type Finding = Omit<Examined, 'part'>

export const ok = (text: string): Finding => ({ state: 'ok', text })
export const warning = (text: string): Finding => ({ state: 'warning', text })
export const failed = (text: string): Finding => ({ state: 'failed', text })
