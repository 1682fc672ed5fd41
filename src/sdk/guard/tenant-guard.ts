import { type Clock, systemClock } from '../../base/clock.ts'
import { createGuard, type Guard } from '../../sql-guard/guard.ts'
import { guardRefusalIn, loggableStatement } from '../../sql-guard/guard-refusal.ts'
import type { GuardBinding, GuardDialect } from '../../sql-guard/guard-types.ts'
import {
  type CountedViolation,
  type GuardMode,
  GuardViolation,
  type GuardViolationReason,
  type Violation,
} from './guard-violation.ts'
import { currentSession, type TenantSession } from './tenant-session.ts'
import { guardedTablesFrom, outsidePurpose, type TenantTables } from './tenant-tables.ts'
import { ViolationTally } from './violation-tally.ts'

/** Hears of every single violation: it must be quick, and it must not throw. `createViolationReporter` makes one. */
export interface ViolationSink {
  add(violation: Violation): void
}

export interface TenantGuardOptions {
  readonly dialect: GuardDialect
  /** The service's own tables that hold rows of tenants. Whatever is on neither list is refused. */
  readonly tables: TenantTables
  /** Tables whose rows belong to nobody: countries, currencies. */
  readonly sharedTables?: readonly string[]
  /** `report` lets every statement run and tells of those `enforce`, the default, refuses. */
  readonly mode?: GuardMode
  /**
   * Told of a violation when it is first seen and again at 10, 100, 1,000 … of it: bounded, whatever the service does.
   * What it throws is dropped.
   */
  readonly onViolation?: (violation: CountedViolation) => void
  readonly reporter?: ViolationSink
  readonly clock?: Clock
}

/** How many different violations are told of in one window; more are counted. */
const maxTold = 500
const windowMs = 10 * 60_000

const outside: GuardBinding = { kind: 'platform', purpose: outsidePurpose }

/** What ORMs ask a server when they open, letter by letter. */
const introductions = new Set(['SELECT version() as version', 'SELECT VERSION() AS `version`'])

/** Judges statements for the facades of drivers. Make one for each database of a service. */
export class TenantGuard {
  readonly dialect: GuardDialect
  readonly mode: GuardMode
  readonly tables: TenantTables
  readonly #guard: Guard
  readonly #options: TenantGuardOptions
  readonly #clock: Clock
  readonly #tally = new ViolationTally(maxTold)
  #windowBeganMs: number

  constructor(guard: Guard, options: TenantGuardOptions) {
    const { dialect, mode = 'enforce', tables, clock = systemClock } = options
    this.dialect = dialect
    this.mode = mode
    this.tables = tables
    this.#guard = guard
    this.#options = options
    this.#clock = clock
    this.#windowBeganMs = clock.monotonicMs()
  }

  /** What was seen in the last ten minutes at most, with counts. */
  violations(): readonly CountedViolation[] {
    return this.#tally.list()
  }

  /**
   * Returns if the statement may run. Facades call it for every execution with the very texts and values they hand on:
   * what is judged and what runs must not be two things.
   */
  admit(sql: string, params: readonly unknown[], session: TenantSession | undefined): void {
    const crossed = this.#crossed(session)
    if (crossed !== undefined) this.violated(crossed, sql, session)
    else if (session !== undefined) this.#judge(sql, () => this.#guard.check(sql, params, session.binding), session)
    else if (!introductions.has(sql)) this.#judge(sql, () => this.#guard.check(sql, params, outside), undefined)
  }

  /** The part that needs no values, for engines that act on a statement while they prepare it. */
  admitText(sql: string, session: TenantSession | undefined): void {
    if (session === undefined && introductions.has(sql)) return
    this.#judge(sql, () => this.#guard.checkText(sql, session?.binding ?? outside), session)
  }

  /** Tells of a violation and throws it, unless this guard only reports. `advice` says what the reason alone does not. */
  violated(reason: GuardViolationReason, sql: string, session: TenantSession | undefined, advice?: string): void {
    const statement = loggableStatement(sql, this.dialect === 'mysql')
    const { tenantUid, tenantSlug, workspaceUid, workspaceSlug } = session?.context ?? {}
    const violation = { reason, statement, mode: this.mode, tenantUid, tenantSlug, workspaceUid, workspaceSlug }
    this.#tell(violation)
    if (this.mode === 'enforce') throw new GuardViolation(violation, advice)
  }

  /** A handle counts for its own session alone: one that was kept, or handed to the work of another tenant, is refused. */
  #crossed(session: TenantSession | undefined): GuardViolationReason | undefined {
    if (session === undefined) return undefined
    if (session.ended) return 'ended-context'
    const now = currentSession()
    return now === undefined || now.isSamePlaceAs(session) ? undefined : 'crossed-context'
  }

  #judge(sql: string, check: () => void, session: TenantSession | undefined): void {
    try {
      check()
    } catch (error) {
      const refusal = guardRefusalIn(error)
      // Anything else is the guard's own fault, and a statement nobody has judged does not run.
      if (refusal === undefined) throw error
      const { reason } = refusal
      this.violated(session === undefined && reason === 'platform-table' ? 'unbound' : reason, sql, session)
    }
  }

  #tell(violation: Violation): void {
    const nowMs = this.#clock.monotonicMs()
    if (nowMs - this.#windowBeganMs >= windowMs) {
      this.#windowBeganMs = nowMs
      this.#tally.clear()
    }
    const count = this.#tally.add(violation)
    quietly(() => this.#options.reporter?.add(violation))
    if (Number.isInteger(Math.log10(count))) quietly(() => this.#options.onViolation?.({ ...violation, count }))
  }
}

/** Loads the SQL parser and checks the lists. Rejects with a TypeError that says what is wrong with them. */
export async function createTenantGuard(options: TenantGuardOptions): Promise<TenantGuard> {
  const { dialect, mode = 'enforce', tables, sharedTables = [], onViolation, reporter } = options
  if (dialect !== 'mysql' && dialect !== 'sqlite') throw new TypeError('createTenantGuard: dialect is mysql or sqlite')
  if (mode !== 'enforce' && mode !== 'report') throw new TypeError('createTenantGuard: mode is enforce or report')
  // Letting everything through and telling nobody would be no guard at all.
  if (mode === 'report' && onViolation === undefined && reporter === undefined) {
    throw new TypeError('createTenantGuard: the mode report needs onViolation or a reporter')
  }
  const guarded = guardedTablesFrom(tables, sharedTables)
  if (guarded.tenantTables.size === sharedTables.length) throw new TypeError('createTenantGuard: tables is empty')
  const guard = await createGuard({ dialect, tables: guarded, sink: { refused: () => undefined } })
  return new TenantGuard(guard, options)
}

/** A violation must never fail the request it was seen in for the sake of whoever wanted to hear of it. */
function quietly(tell: () => void): void {
  try {
    tell()
  } catch {
    // Nobody is there to be told.
  }
}
