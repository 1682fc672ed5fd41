import { unproven } from './guard-refusal.ts'
import { type GuardDialect, type GuardedTables, PINS, type Pin } from './guard-types.ts'
import { type SyntaxNode, storedName, variantFrom } from './syntax-node.ts'

/** One table, derived table or CTE a select reads from. Only a real table has pins to demand. */
export interface Reference {
  readonly alias: string
  readonly table: string | undefined
}

/** The references a column name may mean. A derived table sees no parent; a sub-select in an expression does. */
export interface Scope {
  readonly references: readonly Reference[]
  readonly parent: Scope | undefined
  /** Names given in the select list: ORDER BY, GROUP BY and HAVING may use them bare. */
  readonly outputs: ReadonlySet<string>
  /** MySQL's `VALUES(column)` exists in the assignments of an upsert only. */
  readonly valuesFunction: boolean
}

/** Everything learnt about one statement while it is walked. */
export interface Judgement {
  readonly dialect: GuardDialect
  readonly tables: GuardedTables
  readonly platformTables: ReadonlySet<string>
  /** The key columns of all tables, in lower case: a name that pins rows of one is assigned and given away in none. */
  readonly keyColumns: ReadonlySet<string>
  /** Position of each `?` among all of the statement's, in the order of the text: the order drivers bind in. */
  readonly placeholders: ReadonlyMap<unknown, number>
  /** Every `?` the walk has accounted for. One left over sits in a clause nobody looked at. */
  readonly seen: Set<number>
  /** Two references or a sub-select anywhere: then a bare column name could bind to the wrong one. */
  readonly qualify: boolean
  readonly commonTables: Set<string>
  readonly reads: Set<string>
  readonly writes: Set<string>
  /** Which `?` must equal the context's tenant and workspace. */
  readonly pins: Readonly<Record<Pin, Set<number>>>
  /** Which key is not proven for some reference. Platform capabilities do not need it, tenant contexts do. */
  readonly missing: Set<Pin>
  readonly platformOnly: Set<string>
}

interface Survey {
  readonly placeholders: ReadonlyMap<unknown, number>
  readonly references: number
  readonly selects: number
}

const SURVEY_NODES_MAX = 2_000_000

/** Finds every placeholder, select and table of a tree before it is judged. */
export function surveyOf(statement: unknown): Survey {
  const found: { node: SyntaxNode; line: number; column: number }[] = []
  let references = 0
  let selects = 0
  const open: unknown[] = [statement]
  for (let visited = 0; open.length > 0; visited += 1) {
    if (visited > SURVEY_NODES_MAX) unproven('too-long')
    const value = open.pop()
    if (typeof value !== 'object' || value === null) continue
    const node = value as SyntaxNode
    const inner = node.value
    if (typeof inner === 'object' && inner !== null && 'Placeholder' in inner) found.push({ node, ...positionOf(node) })
    if ('Select' in node) selects += 1
    if ('relation' in node) references += 1
    for (const key of Object.keys(node)) if (key !== 'span') open.push(node[key])
  }
  found.sort((a, b) => a.line - b.line || a.column - b.column)
  return { placeholders: new Map(found.map(({ node }, index) => [node, index])), references, selects }
}

function positionOf(node: SyntaxNode): { line: number; column: number } {
  const start = (node.span as { start?: { line?: unknown; column?: unknown } } | undefined)?.start
  if (typeof start?.line !== 'number' || typeof start.column !== 'number') return unproven('placeholder')
  return { line: start.line, column: start.column }
}

/** The position of the `?` an expression consists of, or undefined if it is anything else. */
export function barePlaceholder(expression: unknown, judgement: Judgement): number | undefined {
  const { tag, body } = variantFrom(expression)
  return tag === 'Value' ? judgement.placeholders.get(body) : undefined
}

/** Accounts for a table the statement names. Unknown tables are refused: the list is of what may be touched. */
export function recordTable(table: string, use: 'read' | 'write', judgement: Judgement): void {
  const owned = judgement.tables.tenantTables.has(table)
  if (!owned && !judgement.platformTables.has(table)) unproven('unknown-table')
  if (!owned) judgement.platformOnly.add(table)
  if (use === 'read') judgement.reads.add(table)
  else judgement.writes.add(table)
}

/** The name of a column of a stored table. */
export function columnName(name: string, { tables }: Judgement): string {
  return tables.mixedCaseColumns === true ? name : storedName(name)
}

/** Whether any table is pinned by a column of that name, however it is spelled here. */
export function isKeyColumn(name: string, { keyColumns }: Judgement): boolean {
  return keyColumns.has(name.toLowerCase())
}

/** The column by which rows of a table are pinned to their tenant or workspace; undefined where they are not. */
export function keyColumn(pin: Pin, table: string | undefined, judgement: Judgement): string | undefined {
  return table === undefined ? undefined : judgement.tables.tenantTables.get(table)?.[PINS.indexOf(pin)]
}

export function isKnownTable(name: string, judgement: Judgement): boolean {
  return judgement.tables.tenantTables.has(name) || judgement.platformTables.has(name)
}
