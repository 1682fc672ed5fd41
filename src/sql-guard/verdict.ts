import { ParserError, parse } from '@guanmingchiu/sqlparser-ts'
import { type GuardRefusalReason, Unproven, unproven } from './guard-refusal.ts'
import type { GuardDialect, GuardedTables, Pin } from './guard-types.ts'
import { type Judgement, surveyOf } from './judgement.ts'
import { proveStatementQuery } from './prove-select.ts'
import { proveDelete, proveInsert, proveUpdate } from './prove-write.ts'
import { fieldsOf, listFrom, nodeFrom, variantFrom } from './syntax-node.ts'
import { checkText } from './text-rules.ts'

/** What is known about a text, whoever runs it. Each execution compares it with its own context and values. */
export type Verdict =
  | { readonly kind: 'refused'; readonly reason: GuardRefusalReason }
  | {
      readonly kind: 'judged'
      readonly parameterCount: number
      readonly reads: readonly string[]
      readonly writes: readonly string[]
      /** Set if no tenant context may run it. */
      readonly tenantRefusal: GuardRefusalReason | undefined
      /** Set if a context of one workspace may not run it. */
      readonly workspaceRefusal: GuardRefusalReason | undefined
      readonly tenantParameters: readonly number[]
      readonly workspaceParameters: readonly number[]
    }

export interface VerdictRules {
  readonly dialect: GuardDialect
  readonly tables: GuardedTables
  readonly platformTables: ReadonlySet<string>
}

export function judge(sql: string, rules: VerdictRules): Verdict {
  try {
    const parameterCount = checkText(sql, rules.dialect)
    const judgement = judgementOf(parsed(sql, rules.dialect), parameterCount, rules)
    return {
      kind: 'judged',
      parameterCount,
      reads: [...judgement.reads],
      writes: [...judgement.writes],
      tenantRefusal: tenantRefusalOf(judgement),
      workspaceRefusal: judgement.missing.has('workspace') ? 'unpinned-workspace' : undefined,
      tenantParameters: [...judgement.pins.tenant],
      workspaceParameters: [...judgement.pins.workspace],
    }
  } catch (error) {
    if (error instanceof Unproven) return { kind: 'refused', reason: error.reason }
    // Nested deeper than the stack: not a statement honest code writes.
    if (error instanceof RangeError) return { kind: 'refused', reason: 'too-deep' }
    throw error
  }
}

function tenantRefusalOf(judgement: Judgement): GuardRefusalReason | undefined {
  if (judgement.platformOnly.size > 0) return 'platform-table'
  return judgement.missing.has('tenant') ? 'unpinned-tenant' : undefined
}

function parsed(sql: string, dialect: GuardDialect): unknown {
  let statements: readonly unknown[]
  try {
    statements = parse(sql, dialect)
  } catch (error) {
    // Anything but a syntax error has broken the parser itself: what it says from here on means nothing, refuse loudly.
    const syntax = error instanceof ParserError && error.message.startsWith('sql parser error')
    return unproven(syntax ? 'unparsable' : 'parser-failed')
  }
  return statements.length === 1 ? statements[0] : unproven('stacked')
}

/** What a tree says; raises Unproven where it says anything this folder does not know. */
export function judgementOf(statement: unknown, parameterCount: number, rules: VerdictRules): Judgement {
  const survey = surveyOf(statement)
  // A `?` the parser drops or invents would shift every position after it.
  if (survey.placeholders.size !== parameterCount) return unproven('placeholder')
  const { tag, body } = variantFrom(statement)
  const pins: Record<Pin, Set<number>> = { tenant: new Set(), workspace: new Set() }
  const judgement: Judgement = {
    ...rules,
    keyColumns: keyColumnsOf(rules.tables),
    placeholders: survey.placeholders,
    qualify: survey.references > 1 || survey.selects > (tag === 'Query' ? 1 : 0),
    seen: new Set(),
    commonTables: new Set(),
    reads: new Set(),
    writes: new Set(),
    pins,
    missing: new Set(),
    platformOnly: new Set(),
  }
  prove(tag, body, judgement)
  if (judgement.seen.size !== parameterCount) return unproven('placeholder')
  return judgement
}

function keyColumnsOf({ tenantTables }: GuardedTables): ReadonlySet<string> {
  return new Set([...tenantTables.values()].flat().map((column) => column.toLowerCase()))
}

function prove(tag: string, body: unknown, judgement: Judgement): void {
  switch (tag) {
    case 'Query':
      proveStatementQuery(body, judgement)
      return
    case 'Insert':
      proveInsert(body, judgement)
      return
    case 'Update':
      proveUpdate(body, judgement)
      return
    case 'Delete':
      proveDelete(body, judgement)
      return
    default:
      unproven('statement-kind')
  }
}

/** The parser must see what its types do not promise; a build that returns another shape refuses to start. */
export function verifyParser(dialect: GuardDialect): void {
  const { tag, body } = variantFrom(listFrom(parse('SELECT 1', dialect))[0])
  const select = variantFrom(fieldsOf(body, ['body']).body)
  if (tag !== 'Query' || select.tag !== 'Select' || nodeFrom(select.body).flavor !== 'Standard') {
    throw new Error('the SQL parser returned a tree the guard does not know')
  }
}
