import type { GuardBinding, GuardDialect } from '../../src/sql-guard/guard-types.ts'
import { isTransactionControl } from '../../src/sql-guard/transaction-control.ts'
import type { StatementObserver } from '../../src/storage-parts.ts'
import type { RecordedStatement } from '../unit/sql-guard/recorded-corpus.ts'

export interface StatementRecorder {
  readonly observe: StatementObserver
  /** Every text once for each place its keys stand in, sorted. */
  recorded(): readonly RecordedStatement[]
}

/** Collects what passes the guard's door. Transaction control is left out: its texts are a list of their own. */
export function createStatementRecorder(dialect: GuardDialect): StatementRecorder {
  const seen = new Map<string, { sql: string; parameters: string; ran: Set<string> }>()
  return {
    observe(sql, params, binding) {
      if (binding === undefined || binding.kind === 'migration' || isTransactionControl(sql, dialect)) return
      const short = withTwoOfEach(sql, params.map((value) => letterOf(value, binding)).join(''))
      const key = `${short.sql}\n${short.parameters}`
      const entry = seen.get(key) ?? { ...short, ran: new Set() }
      seen.set(key, entry)
      entry.ran.add(bindingName(binding))
    },
    recorded: () =>
      [...seen.entries()]
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([, { sql, parameters, ran }]) => ({ sql, parameters, ran: [...ran].sort() })),
  }
}

function bindingName(binding: Exclude<GuardBinding, { kind: 'migration' }>): string {
  if (binding.kind === 'platform') return `platform ${binding.purpose}`
  return binding.allWorkspaces ? 'all workspaces' : 'tenant'
}

function letterOf(value: unknown, binding: GuardBinding): string {
  if (binding.kind !== 'tenant') return '.'
  if (value === binding.tenantId) return 'T'
  return value === binding.workspaceId ? 'W' : '.'
}

/** Rows of an INSERT, and values of a list, are as many as the data is; more than two of them say nothing new. */
const REPEATED_ROW = /(?<=VALUES )(\([^()]*\), ?)\1+(?=\()/
const REPEATED_VALUE = /(?<=IN \()(\?, )\1+(?=\?\))/

interface Text {
  readonly sql: string
  readonly parameters: string
}

/** On SQLite TypeORM writes numbers into the text: the version of a row, or its place in a feed, is no other statement. */
const WRITTEN_NUMBER = /(?<=" (?:[=<]|!=) )\d+/g

function withTwoOfEach(sql: string, parameters: string): Text {
  let text: Text = { sql: sql.replaceAll(WRITTEN_NUMBER, '1'), parameters }
  for (const pattern of [REPEATED_ROW, REPEATED_VALUE]) {
    for (let next = withOneLess(text, pattern); next !== undefined; next = withOneLess(text, pattern)) text = next
  }
  return text
}

/** Without what repeats at the first place where something does, and without the parameters that stood in it. */
function withOneLess({ sql, parameters }: Text, pattern: RegExp): Text | undefined {
  const found = pattern.exec(sql)
  if (found === null) return undefined
  const [whole, one = ''] = found
  const from = found.index + one.length
  const to = found.index + whole.length
  const kept = marksIn(sql.slice(0, from))
  const gone = marksIn(sql.slice(from, to))
  return {
    sql: sql.slice(0, from) + sql.slice(to),
    parameters: parameters.slice(0, kept) + parameters.slice(kept + gone),
  }
}

function marksIn(sql: string): number {
  return sql.split('?').length - 1
}
