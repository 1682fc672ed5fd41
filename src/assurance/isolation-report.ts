export type ProbeOutcome = 'PASSED' | 'FAILED' | 'INCOMPLETE'

/** One thing that is not as it must be. Never carries a value. */
export interface Finding {
  /** What is wrong, of the closed list in docs/isolation.md. */
  readonly kind: FindingKind
  /** Empty where it is about no tenant. */
  readonly tenantUid: string
  readonly subject: string
  readonly description: string
}

/** Every kind of finding, and what it means and asks for: docs/isolation.md shows this list. */
export const findingKinds = {
  'guard-open': 'A statement that must be refused ran. Stop this server and look at its build.',
  'schema-drift': 'The schema is not what the migrations made. Put back what was changed.',
  'tenantless-row': 'A row belongs to no tenant, or to one that was purged. Find out who wrote it.',
  'workspaceless-row': 'A row belongs to no workspace of its tenant. It was moved or written past Tenure.',
  'orphan-reference': 'A row refers to something that is not there. It was deleted or moved past Tenure.',
  'cross-tenant-reference': 'A row refers to something that another tenant has. One of the two was moved past Tenure.',
  'row-without-history': 'No event of its tenant made this row. It was moved or written past Tenure.',
  'missing-row':
    'A row is gone that no event of its tenant took away. It was deleted or moved past Tenure; put it back.',
  'ciphertext-does-not-open': 'A value does not open at its place. It was swapped or changed past Tenure.',
  'ciphertext-opens-elsewhere': 'A value opens at a place that is not its own. Stop this server and look at its build.',
  'decision-differs':
    'Memory and database disagree on who may do what. A row was changed past Tenure, or a change was missed; find out which, then restart.',
  'placement-differs': 'Directory and cell disagree on where a tenant is. It was moved or written past Tenure.',
  'forged-row':
    'A row that grants power was written past Tenure. It grants nothing; find out who wrote it, then delete it or put it back.',
  'answer-leaks': 'A call of one tenant got something of another. Stop this server and look at its build.',
  'refusal-differs':
    'A name of another tenant is refused in another way than one that does not exist. It can be probed for.',
} as const

export type FindingKind = keyof typeof findingKinds

export interface ProbeResult {
  readonly probe: string
  readonly outcome: ProbeOutcome
  readonly checkedCount: number
  readonly findingCount: number
  /** Up to `maxFindings` of them. */
  readonly findings: readonly Finding[]
  readonly durationMs: number
  /** Why it is incomplete. */
  readonly message: string
}

export const maxFindings = 100

export interface IsolationReportRow {
  readonly reportId: string
  readonly outcome: ProbeOutcome
  readonly tenantCount: number
  readonly durationMs: number
  readonly serverVersion: string
  readonly schemaVersion: number
  readonly operationId: string
  readonly probes: readonly ProbeResult[]
  readonly signedReport: Uint8Array
  readonly createTime: Date
}

/** What is signed: everything but the signature. */
export type SignedContent = Omit<IsolationReportRow, 'signedReport' | 'createTime'> & { readonly createTimeMs: number }

export function outcomeOf(probes: readonly ProbeResult[]): ProbeOutcome {
  const outcomes = new Set(probes.map(({ outcome }) => outcome))
  if (outcomes.has('FAILED')) return 'FAILED'
  return outcomes.has('INCOMPLETE') ? 'INCOMPLETE' : 'PASSED'
}
