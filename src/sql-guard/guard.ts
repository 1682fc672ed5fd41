import { init } from '@guanmingchiu/sqlparser-ts'
import { LRUCache } from 'lru-cache'
import { bindableFrom } from './bindable.ts'
import { GuardRefusal, type GuardRefusalReason, type GuardSink, loggableStatement, Unproven } from './guard-refusal.ts'
import type { Bindable, GuardBinding, GuardDialect, GuardedTables, TenantBinding } from './guard-types.ts'
import { isTransactionControl, UNBOUND_TEXT } from './transaction-control.ts'
import { judge, type Verdict, type VerdictRules, verifyParser } from './verdict.ts'

const VERDICT_CACHE_SIZE = 2_000
const VERDICT_CACHE_CHARACTERS = 8 * 1024 * 1024

interface GuardOptions {
  readonly dialect: GuardDialect
  readonly tables: GuardedTables
  readonly sink: GuardSink
  readonly verdictCacheSize?: number
}

export interface Guard {
  /**
   * Returns if the statement is proven to stay inside the binding with these values; throws a GuardRefusal otherwise,
   * after telling the sink. Call it for every execution: prepared statements outlive the context they were prepared in.
   */
  check(sql: string, params: readonly unknown[], binding: GuardBinding | undefined): void
  /**
   * The part of the check that needs no values, for the moment a statement is prepared, when none are known yet.
   * It is not enough to execute by.
   */
  checkText(sql: string, binding: GuardBinding | undefined): void
  /** The parameters as the driver may see them. Throws a TypeError on what check refuses. */
  toBindable(params: readonly unknown[]): readonly Bindable[]
}

export async function createGuard(options: GuardOptions): Promise<Guard> {
  await init()
  verifyParser(options.dialect)
  return new StatementGuard(options)
}

class StatementGuard implements Guard {
  readonly #rules: VerdictRules
  readonly #sink: GuardSink
  readonly #verdicts: LRUCache<string, Verdict>

  constructor({ dialect, tables, sink, verdictCacheSize = VERDICT_CACHE_SIZE }: GuardOptions) {
    const platformTables = new Set([...tables.platformTables.values()].flatMap((purpose) => [...purpose.keys()]))
    this.#rules = { dialect, tables, platformTables }
    this.#sink = sink
    this.#verdicts = new LRUCache({
      max: verdictCacheSize,
      maxSize: VERDICT_CACHE_CHARACTERS,
      sizeCalculation: (_verdict, sql) => sql.length + 1,
    })
  }

  check(sql: string, params: readonly unknown[], binding: GuardBinding | undefined): void {
    const reason = this.#textRefusal(sql, binding) ?? this.#valuesRefusal(sql, params, binding)
    if (reason !== undefined) this.#refuse(reason, sql, binding)
  }

  checkText(sql: string, binding: GuardBinding | undefined): void {
    const reason = this.#textRefusal(sql, binding)
    if (reason !== undefined) this.#refuse(reason, sql, binding)
  }

  toBindable(params: readonly unknown[]): readonly Bindable[] {
    try {
      return params.map(bindableFrom)
    } catch (error) {
      throw error instanceof Unproven ? new TypeError('a statement parameter has a type that is never bound') : error
    }
  }

  #textRefusal(sql: string, binding: GuardBinding | undefined): GuardRefusalReason | undefined {
    if (binding === undefined) return sql === UNBOUND_TEXT ? undefined : 'unbound'
    if (binding.kind === 'migration' || isTransactionControl(sql, this.#rules.dialect)) return undefined
    const verdict = this.#verdictOf(sql)
    if (verdict.kind === 'refused') return verdict.reason
    if (binding.kind === 'platform') return this.#platformRefusal(verdict, binding.purpose)
    return verdict.tenantRefusal ?? (binding.allWorkspaces ? undefined : verdict.workspaceRefusal)
  }

  #platformRefusal(verdict: Extract<Verdict, { kind: 'judged' }>, purpose: string): GuardRefusalReason | undefined {
    const allowed = this.#rules.tables.platformTables.get(purpose)
    if (allowed === undefined) return 'unknown-purpose'
    for (const table of verdict.reads) if (!allowed.has(table)) return 'platform-table'
    for (const table of verdict.writes) {
      if (allowed.get(table) !== 'write') return allowed.has(table) ? 'platform-read-only' : 'platform-table'
    }
    return undefined
  }

  #valuesRefusal(
    sql: string,
    params: readonly unknown[],
    binding: GuardBinding | undefined,
  ): GuardRefusalReason | undefined {
    for (const param of params) if (!isBindable(param)) return 'parameter-type'
    if (binding?.kind === 'migration') return undefined
    if (binding === undefined || isTransactionControl(sql, this.#rules.dialect)) {
      return params.length === 0 ? undefined : 'parameter-count'
    }
    const verdict = this.#verdictOf(sql)
    if (verdict.kind === 'refused') return verdict.reason
    if (params.length !== verdict.parameterCount) return 'parameter-count'
    return binding.kind === 'tenant' ? foreignKeyRefusal(verdict, params, binding) : undefined
  }

  #verdictOf(sql: string): Verdict {
    const known = this.#verdicts.get(sql)
    if (known !== undefined) return known
    const verdict = judge(sql, this.#rules)
    this.#verdicts.set(sql, verdict)
    return verdict
  }

  #refuse(reason: GuardRefusalReason, sql: string, binding: GuardBinding | undefined): never {
    const statement = loggableStatement(sql, this.#rules.dialect === 'mysql')
    try {
      this.#sink.refused({ reason, statement, binding })
    } catch {
      // A sink that fails must not let the statement through, nor replace the refusal.
    }
    throw new GuardRefusal(reason, statement)
  }
}

/** Identity of strings: a number 0 or a Buffer equal in bytes matches other rows on MySQL. */
function foreignKeyRefusal(
  verdict: Extract<Verdict, { kind: 'judged' }>,
  params: readonly unknown[],
  binding: TenantBinding,
): GuardRefusalReason | undefined {
  for (const index of verdict.tenantParameters) if (params[index] !== binding.tenantId) return 'foreign-tenant'
  if (binding.allWorkspaces) return undefined
  for (const index of verdict.workspaceParameters) {
    if (params[index] !== binding.workspaceId) return 'foreign-workspace'
  }
  return undefined
}

function isBindable(value: unknown): boolean {
  if (typeof value === 'string' || value === null || typeof value === 'boolean') return true
  try {
    bindableFrom(value)
    return true
  } catch {
    return false
  }
}
