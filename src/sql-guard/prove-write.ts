import { unproven } from './guard-refusal.ts'
import { PINS } from './guard-types.ts'
import {
  barePlaceholder,
  columnName,
  isKeyColumn,
  type Judgement,
  keyColumn,
  type Reference,
  recordTable,
  type Scope,
} from './judgement.ts'
import { provePins } from './pin-proof.ts'
import { checkExpression, checkValue } from './prove-expression.ts'
import { checkLimit, checkOrder, tableFrom, walkOf } from './prove-select.ts'
import {
  fieldsOf,
  identifierFrom,
  isAbsent,
  listFrom,
  nodeFrom,
  singleNameFrom,
  storedName,
  variantFrom,
} from './syntax-node.ts'

export function proveUpdate(statement: unknown, judgement: Judgement): void {
  const fields = fieldsOf(statement, ['table', 'assignments', 'selection', 'order_by', 'limit'])
  const scope = targetScope(fields.table, judgement)
  for (const { column, value } of assignmentsFrom(fields.assignments, judgement)) {
    // Assigning the key hands the row to another tenant.
    if (isKeyColumn(column, judgement)) unproven('key-assignment')
    checkExpression(value, walkOf(scope, judgement))
  }
  proveFilter(fields, scope, judgement)
}

export function proveDelete(statement: unknown, judgement: Judgement): void {
  const fields = fieldsOf(statement, ['from', 'selection', 'order_by', 'limit'])
  const { tag, body } = variantFrom(fields.from)
  const sources = listFrom(body)
  if (tag !== 'WithFromKeyword' || sources.length !== 1) unproven('join-kind')
  proveFilter(fields, targetScope(sources[0], judgement), judgement)
}

/** Writes name one table, without alias and without joins. */
function targetScope(source: unknown, judgement: Judgement): Scope {
  const { relation, joins } = fieldsOf(source, ['relation', 'joins'])
  if (!isAbsent(joins)) return unproven('join-kind')
  return scopeOf([tableFrom(relation, judgement, 'write')], false)
}

function scopeOf(references: readonly Reference[], valuesFunction: boolean): Scope {
  return { references, parent: undefined, outputs: new Set(), valuesFunction }
}

function proveFilter(
  { selection, order_by: order, limit }: ReturnType<typeof nodeFrom>,
  scope: Scope,
  judgement: Judgement,
): void {
  if (!isAbsent(selection)) checkExpression(selection, walkOf(scope, judgement))
  if (!isAbsent(order)) checkOrder(order, scope, judgement)
  checkLimit(limit, judgement)
  provePins(scope, [selection], [], judgement)
}

interface Assignment {
  readonly column: string
  readonly value: unknown
}

function assignmentsFrom(list: unknown, judgement: Judgement): Assignment[] {
  return listFrom(list).map((assignment) => {
    const { target, value } = fieldsOf(assignment, ['target', 'value'])
    const { tag, body } = variantFrom(target)
    if (tag !== 'ColumnName') unproven('shape')
    return { column: columnName(singleNameFrom(body), judgement), value }
  })
}

export function proveInsert(statement: unknown, judgement: Judgement): void {
  const fields = fieldsOf(statement, ['into', 'table', 'columns', 'source', 'on'])
  const target = variantFrom(fields.table)
  if (target.tag !== 'TableName') unproven('shape')
  const table = storedName(singleNameFrom(target.body))
  recordTable(table, 'write', judgement)
  const columns = listFrom(fields.columns).map((column) => columnName(singleNameFrom(column), judgement))
  const spelled = new Set(columns.map((column) => column.toLowerCase()))
  if (columns.length === 0 || spelled.size !== columns.length) unproven('insert-columns')
  for (const row of rowsFrom(fields.source)) proveRow(row, columns, table, judgement)
  if (!isAbsent(fields.on)) proveUpsert(fields.on, table, judgement)
}

function rowsFrom(source: unknown): (readonly unknown[])[] {
  // INSERT … SELECT, and INSERT … SET, which has no source.
  if (isAbsent(source)) return unproven('shape')
  const { tag, body } = variantFrom(fieldsOf(source, ['body']).body)
  if (tag !== 'Values') return unproven('shape')
  return listFrom(fieldsOf(body, ['rows']).rows).map((row) => listFrom(fieldsOf(row, ['content']).content))
}

function proveRow(row: readonly unknown[], columns: readonly string[], table: string, judgement: Judgement): void {
  if (row.length !== columns.length) unproven('insert-columns')
  for (const cell of row) checkCell(cell, judgement)
  for (const pin of PINS) {
    const key = keyColumn(pin, table, judgement)
    if (key === undefined) continue
    const cell = columns.indexOf(key)
    const ordinal = cell < 0 ? undefined : barePlaceholder(row[cell], judgement)
    if (ordinal === undefined) judgement.missing.add(pin)
    else judgement.pins[pin].add(ordinal)
  }
}

/** A parameter, a plain literal (TypeORM writes numbers into the text on SQLite), or MySQL's DEFAULT; nothing computed. */
function checkCell(cell: unknown, judgement: Judgement): void {
  const { tag, body } = variantFrom(cell)
  if (tag === 'Value') {
    checkValue(body, judgement)
    return
  }
  if (tag === 'UnaryOp') {
    const { op, expr } = fieldsOf(body, ['op', 'expr'])
    const number = variantFrom(expr)
    if (op !== 'Minus' || number.tag !== 'Value') unproven('shape')
    checkValue(number.body, judgement)
    return
  }
  const node = tag === 'Identifier' ? fieldsOf(body, ['value', 'quote_style']) : unproven('shape')
  if (judgement.dialect !== 'mysql' || node.value !== 'DEFAULT' || !isAbsent(node.quote_style)) unproven('shape')
}

function proveUpsert(on: unknown, table: string, judgement: Judgement): void {
  const { tag, body } = variantFrom(on)
  if (tag === 'DuplicateKeyUpdate' && judgement.dialect === 'mysql') {
    if (judgement.tables.sharedKeys.has(table)) unproven('conflict-target')
    checkUpsertAssignments(body, table, scopeOf([{ alias: table, table }], true), judgement)
    return
  }
  if (tag !== 'OnConflict' || judgement.dialect !== 'sqlite') unproven('shape')
  const { conflict_target: target, action } = fieldsOf(body, ['conflict_target', 'action'])
  const reaction = variantFrom(action)
  if (reaction.tag === 'DoNothing') return
  if (reaction.tag !== 'DoUpdate') unproven('shape')
  proveConflictTarget(target, table, judgement)
  const { assignments, selection } = fieldsOf(reaction.body, ['assignments', 'selection'])
  const references = [table, 'excluded', 'EXCLUDED'].map((alias) => ({ alias, table }))
  const scope = scopeOf(references, false)
  checkUpsertAssignments(assignments, table, scope, judgement)
  if (!isAbsent(selection)) checkExpression(selection, walkOf(scope, judgement))
}

/** A conflict over keys without the pins would update the row of whoever owns it. */
function proveConflictTarget(target: unknown, table: string, judgement: Judgement): void {
  if (isAbsent(target)) unproven('conflict-target')
  const { tag, body } = variantFrom(target)
  if (tag !== 'Columns') unproven('conflict-target')
  const columns = listFrom(body).map((column) => columnName(identifierFrom(column), judgement))
  for (const pin of PINS) {
    const key = keyColumn(pin, table, judgement)
    if (key !== undefined && !columns.includes(key)) judgement.missing.add(pin)
  }
}

function checkUpsertAssignments(list: unknown, table: string, scope: Scope, judgement: Judgement): void {
  const kept = keyColumn('tenant', table, judgement)
  for (const { column, value } of assignmentsFrom(list, judgement)) {
    const keeps = column === kept && isInsertedValue(value, kept)
    if (isKeyColumn(column, judgement) && !keeps) unproven('key-assignment')
    checkExpression(value, walkOf(scope, judgement))
  }
}

/** Exactly `VALUES(column)` or `excluded.column`: the row keeps the key it was inserted with. */
function isInsertedValue(value: unknown, column: string): boolean {
  const { tag, body } = variantFrom(value)
  if (tag === 'CompoundIdentifier') {
    const [qualifier, name] = listFrom(body).map(identifierFrom)
    return qualifier?.toLowerCase() === 'excluded' && name === column
  }
  if (tag !== 'Function') return false
  const { name, args } = nodeFrom(body)
  if (singleNameFrom(name).toLowerCase() !== 'values') return false
  const [argument] = listFrom(nodeFrom(variantFrom(args).body).args)
  const inner = variantFrom(variantFrom(variantFrom(argument).body).body)
  return inner.tag === 'Identifier' && identifierFrom(inner.body) === column
}
