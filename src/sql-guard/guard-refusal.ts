import type { GuardBinding } from './guard-types.ts'

/** Why a statement was refused. Closed: metrics and alerts are keyed by it. */
export type GuardRefusalReason =
  // No context, or a context that may not do this.
  | 'unbound'
  | 'unknown-purpose'
  | 'platform-table'
  | 'platform-read-only'
  // The text, before any parse.
  | 'too-long'
  | 'too-deep'
  | 'character'
  | 'comment'
  | 'backslash'
  | 'operator'
  | 'variable'
  | 'stacked'
  | 'string-literal'
  | 'placeholder'
  | 'number'
  | 'quoted-name'
  | 'word'
  // The tree.
  | 'unparsable'
  | 'parser-failed'
  | 'statement-kind'
  | 'shape'
  | 'function'
  | 'name'
  | 'qualified-table'
  | 'unknown-table'
  | 'shadowed-name'
  | 'unknown-reference'
  | 'unqualified-column'
  | 'join-kind'
  | 'insert-columns'
  | 'conflict-target'
  | 'key-assignment'
  // The proof.
  | 'unpinned-tenant'
  | 'unpinned-workspace'
  // The values of one execution.
  | 'parameter-count'
  | 'parameter-type'
  | 'foreign-tenant'
  | 'foreign-workspace'

const STATEMENT_TEXT_MAX = 4096

/** A statement that was not proven to stay inside its context. Carries the text and never a bound value. */
export class GuardRefusal extends Error {
  readonly reason: GuardRefusalReason
  readonly statement: string

  constructor(reason: GuardRefusalReason, statement: string) {
    super(`statement refused by the tenant guard: ${reason}`)
    this.name = 'GuardRefusal'
    this.reason = reason
    this.statement = statement
  }
}

export interface GuardSink {
  refused(refusal: {
    readonly reason: GuardRefusalReason
    readonly statement: string
    readonly binding: GuardBinding | undefined
  }): void
}

/** The refusal inside whatever an ORM wrapped it in. Its wrapper carries the bound values: do not log that. */
export function guardRefusalIn(error: unknown): GuardRefusal | undefined {
  if (error instanceof GuardRefusal) return error
  if (!(error instanceof Error) || !('driverError' in error)) return undefined
  return error.driverError instanceof GuardRefusal ? error.driverError : undefined
}

/** Raised while a statement is being judged; the guard turns it into a verdict, so it never leaves this folder. */
export class Unproven extends Error {
  readonly reason: GuardRefusalReason

  constructor(reason: GuardRefusalReason) {
    super(reason)
    this.reason = reason
  }
}

export function unproven(reason: GuardRefusalReason): never {
  throw new Unproven(reason)
}

/**
 * The text as it may be logged. A refused statement can be one that carries a literal, and a literal can be a secret:
 * quoted strings and long runs of digits are blanked. Double quotes name things on SQLite and hold values on MySQL.
 */
export function loggableStatement(sql: string, doubleQuotesHoldValues: boolean): string {
  const whole = sql.slice(0, STATEMENT_TEXT_MAX)
  // Whether a backslash escapes a quote hangs on the session: where strings end is then anybody's guess.
  const certain = whole.includes('\\') ? whole.replace(/['"].*$/s, "'…'") : whole
  const text = certain.replace(/'[^']*('|$)/g, "'…'").replace(/\b(?:0x[0-9a-f]+|\d{4,}[0-9a-z.]*)/gi, '0')
  return doubleQuotesHoldValues ? text.replace(/"[^"]*("|$)/g, '"…"') : text
}
