import type { GuardRefusalReason } from '../../sql-guard/guard-refusal.ts'

/** Why a statement was not proven to stay inside its tenant. Closed: count and alert by it. */
export type GuardViolationReason =
  | GuardRefusalReason
  /**
   * A handle of one tenant was used while another one was at work; or a statement would have run inside the transaction that
   * another `withTenant` has open on the one connection of a file.
   */
  | 'crossed-context'
  /** A handle was used after its `withTenant` had ended. */
  | 'ended-context'

export type GuardMode = 'enforce' | 'report'

/** What may be told of a violation: the text without literals, and never a bound value. */
export interface Violation {
  readonly reason: GuardViolationReason
  readonly statement: string
  readonly mode: GuardMode
  /** Undefined outside every `withTenant`. */
  readonly tenantUid: string | undefined
  readonly tenantSlug: string | undefined
  readonly workspaceUid: string | undefined
  readonly workspaceSlug: string | undefined
}

/** A violation and how often it was seen. */
export interface CountedViolation extends Violation {
  readonly count: number
}

/** Thrown in the mode `enforce` before the driver has seen the statement. */
export class GuardViolation extends Error {
  override readonly name = 'GuardViolation'
  readonly reason: GuardViolationReason
  readonly statement: string

  constructor({ reason, statement }: Violation, advice?: string) {
    super(`statement refused by the tenant guard: ${reason}${advice === undefined ? '' : `: ${advice}`}`)
    this.reason = reason
    this.statement = statement
  }
}

/** The violation inside whatever an ORM wrapped it in. Its wrapper carries the bound values: do not log that. */
export function guardViolationIn(error: unknown): GuardViolation | undefined {
  if (error instanceof GuardViolation) return error
  if (!(error instanceof Error) || !('driverError' in error)) return undefined
  return error.driverError instanceof GuardViolation ? error.driverError : undefined
}
