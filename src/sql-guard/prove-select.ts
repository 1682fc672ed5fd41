import { unproven } from './guard-refusal.ts'
import { isKeyColumn, isKnownTable, type Judgement, type Reference, recordTable, type Scope } from './judgement.ts'
import { type OuterJoin, provePins } from './pin-proof.ts'
import { checkExpression, checkValue, type Walk } from './prove-expression.ts'
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

/** Proves a whole query: its common tables, every branch of its unions, its order, limit and locks. */
export function proveStatementQuery(query: unknown, judgement: Judgement): void {
  const { with: common } = nodeFrom(query)
  if (!isAbsent(common)) proveCommonTables(common, judgement)
  proveQuery(query, undefined, judgement, ['with'])
}

/** Names are recorded after their query is proven, so no common table can refer to itself. */
function proveCommonTables(common: unknown, judgement: Judgement): void {
  for (const table of listFrom(fieldsOf(common, ['cte_tables']).cte_tables)) {
    const { alias, query } = fieldsOf(table, ['alias', 'query'])
    const name = storedName(aliasFrom(alias) ?? unproven('name'))
    // `WITH users AS (…) SELECT … FROM users` reads something else than the proof would speak of.
    if (isKnownTable(name, judgement) || judgement.commonTables.has(name)) unproven('shadowed-name')
    proveQuery(query, undefined, judgement)
    judgement.commonTables.add(name)
  }
}

function proveQuery(
  query: unknown,
  parent: Scope | undefined,
  judgement: Judgement,
  known: readonly string[] = [],
): void {
  const fields = fieldsOf(query, ['body', 'order_by', 'limit_clause', 'locks', ...known])
  const scope = proveBody(fields.body, parent, judgement)
  if (!isAbsent(fields.order_by)) {
    const { tag, body } = variantFrom(fieldsOf(fields.order_by, ['kind']).kind)
    if (tag !== 'Expressions') unproven('shape')
    if (scope === undefined) checkUnionOrder(body)
    else checkOrder(body, scope, judgement)
  }
  checkLimitClause(fields.limit_clause, judgement)
  if (!isAbsent(fields.locks)) checkLocks(fields.locks, judgement)
}

/** The scope ORDER BY sees, if the body is one select. */
function proveBody(body: unknown, parent: Scope | undefined, judgement: Judgement): Scope | undefined {
  const { tag, body: inner } = variantFrom(body)
  switch (tag) {
    case 'Select':
      return proveSelect(inner, parent, judgement)
    case 'Query':
      proveQuery(inner, parent, judgement)
      return undefined
    case 'SetOperation': {
      const { left, right, op } = fieldsOf(inner, ['left', 'right', 'op', 'set_quantifier'])
      if (op !== 'Union') unproven('shape')
      proveBody(left, parent, judgement)
      proveBody(right, parent, judgement)
      return undefined
    }
    default:
      // `TABLE users`, VALUES, and writes where a query belongs.
      return unproven('shape')
  }
}

function proveSelect(select: unknown, parent: Scope | undefined, judgement: Judgement): Scope {
  const known = ['distinct', 'projection', 'from', 'selection', 'group_by', 'having', 'flavor']
  const fields = fieldsOf(select, known)
  if (fields.flavor !== 'Standard') unproven('shape')
  if (!isAbsent(fields.distinct) && fields.distinct !== 'Distinct') unproven('shape')
  const { references, inner, outer } = readFrom(listFrom(fields.from), parent, judgement)
  const outputs = new Set(listFrom(fields.projection).flatMap(outputName))
  const scope: Scope = { references, parent, outputs, valuesFunction: false }
  const walk = walkOf(scope, judgement)
  const late: Walk = { ...walk, outputsVisible: true }
  for (const item of listFrom(fields.projection)) checkOutput(item, walk)
  for (const condition of [...inner, ...outer.map(({ on }) => on)]) checkExpression(condition, walk)
  if (!isAbsent(fields.selection)) checkExpression(fields.selection, walk)
  if (!isAbsent(fields.group_by)) checkGroup(fields.group_by, late)
  if (!isAbsent(fields.having)) checkExpression(fields.having, late)
  provePins(scope, [fields.selection, ...inner], outer, judgement)
  return scope
}

export function walkOf(scope: Scope, judgement: Judgement): Walk {
  const subselect = (query: unknown, outer: Scope): void => proveQuery(query, outer, judgement)
  return { judgement, scope, subselect, outputsVisible: false }
}

interface From {
  readonly references: readonly Reference[]
  readonly inner: readonly unknown[]
  readonly outer: readonly OuterJoin[]
}

function readFrom(from: readonly unknown[], parent: Scope | undefined, judgement: Judgement): From {
  // A comma join binds looser than JOIN on one engine and not on the other.
  if (from.length > 1) return unproven('join-kind')
  const references: Reference[] = []
  const inner: unknown[] = []
  const outer: OuterJoin[] = []
  for (const source of from) {
    const { relation, joins } = fieldsOf(source, ['relation', 'joins'])
    references.push(referenceFrom(relation, references, parent, judgement))
    for (const join of listFrom(joins)) {
      const fields = fieldsOf(join, ['relation', 'join_operator'])
      const { tag, body } = variantFrom(fields.join_operator)
      const constraint = variantFrom(body)
      // NATURAL, USING and a join without a condition hide what they compare.
      if (constraint.tag !== 'On') return unproven('join-kind')
      references.push(referenceFrom(fields.relation, references, parent, judgement))
      if (tag === 'Join' || tag === 'Inner') inner.push(constraint.body)
      else if (tag === 'Left' || tag === 'LeftOuter') {
        outer.push({ reference: references.length - 1, on: constraint.body })
      } else return unproven('join-kind')
    }
  }
  return { references, inner, outer }
}

function referenceFrom(
  relation: unknown,
  siblings: readonly Reference[],
  parent: Scope | undefined,
  judgement: Judgement,
): Reference {
  const { tag, body } = variantFrom(relation)
  const reference = tag === 'Derived' ? derivedFrom(body, judgement) : tableFrom(relation, judgement)
  const taken = (candidate: Reference): boolean => candidate.alias.toLowerCase() === reference.alias.toLowerCase()
  if (siblings.some(taken)) unproven('shadowed-name')
  for (let scope = parent; scope !== undefined; scope = scope.parent) {
    // An inner name equal to an outer one: a reader, and this proof, would take one for the other.
    if (scope.references.some(taken)) unproven('shadowed-name')
  }
  return reference
}

function derivedFrom(body: unknown, judgement: Judgement): Reference {
  const { subquery, alias } = fieldsOf(body, ['subquery', 'alias'])
  const name = aliasFrom(alias) ?? unproven('name')
  if (isKnownTable(name.toLowerCase(), judgement)) unproven('shadowed-name')
  proveQuery(subquery, undefined, judgement)
  return { alias: name, table: undefined }
}

/** A table in FROM, or the target of UPDATE and DELETE once its alias is ruled out. */
export function tableFrom(relation: unknown, judgement: Judgement, use: 'read' | 'write' = 'read'): Reference {
  const { tag, body } = variantFrom(relation)
  if (tag !== 'Table') return unproven('join-kind')
  const { name, alias } = fieldsOf(body, use === 'read' ? ['name', 'alias'] : ['name'])
  const table = storedName(singleNameFrom(name))
  const given = aliasFrom(alias)
  if (given !== undefined && given !== table && isKnownTable(given.toLowerCase(), judgement)) unproven('shadowed-name')
  if (judgement.commonTables.has(table)) return { alias: given ?? table, table: undefined }
  recordTable(table, use, judgement)
  return { alias: given ?? table, table }
}

function aliasFrom(alias: unknown): string | undefined {
  // Renamed columns (`users AS u(id, tenant_id)`) would make any column the key.
  return isAbsent(alias) ? undefined : identifierFrom(fieldsOf(alias, ['name', 'explicit']).name)
}

function outputName(item: unknown): string[] {
  const { tag, body } = variantFrom(item)
  return tag === 'ExprWithAlias' ? [identifierFrom(nodeFrom(body).alias)] : []
}

function checkOutput(item: unknown, walk: Walk): void {
  const { tag, body } = variantFrom(item)
  if (tag === 'UnnamedExpr') {
    checkExpression(body, walk)
    return
  }
  if (tag === 'ExprWithAlias') {
    const { expr, alias } = fieldsOf(body, ['expr', 'alias'])
    const name = identifierFrom(alias)
    if (isKeyColumn(name, walk.judgement) && lastNameOf(expr) !== name) unproven('shadowed-name')
    checkExpression(expr, walk)
    return
  }
  if (tag === 'Wildcard') {
    fieldsOf(body, [])
    return
  }
  if (tag !== 'QualifiedWildcard') unproven('shape')
  const [target, options] = listFrom(body)
  const named = variantFrom(target)
  if (named.tag !== 'ObjectName') unproven('shape')
  fieldsOf(options, [])
  const alias = singleNameFrom(named.body)
  if (!walk.scope.references.some((reference) => reference.alias === alias)) unproven('unknown-reference')
}

function lastNameOf(expression: unknown): string | undefined {
  const { tag, body } = variantFrom(expression)
  if (tag === 'Identifier') return identifierFrom(body)
  return tag === 'CompoundIdentifier' ? identifierFrom(listFrom(body).at(-1)) : undefined
}

function checkGroup(group: unknown, walk: Walk): void {
  const { tag, body } = variantFrom(group)
  const [expressions, modifiers] = listFrom(body)
  if (tag !== 'Expressions' || !isAbsent(modifiers)) unproven('shape')
  for (const expression of listFrom(expressions)) checkExpression(expression, walk)
}

export function checkOrder(order: unknown, scope: Scope, judgement: Judgement): void {
  const walk: Walk = { ...walkOf(scope, judgement), outputsVisible: true }
  for (const expression of orderExpressions(order)) checkExpression(expression, walk)
}

/** A union is ordered by its output columns, named bare. */
function checkUnionOrder(order: unknown): void {
  for (const expression of orderExpressions(order)) {
    const { tag, body } = variantFrom(expression)
    if (tag !== 'Identifier') unproven('shape')
    identifierFrom(body)
  }
}

function orderExpressions(order: unknown): unknown[] {
  return listFrom(order).map((item) => {
    const { expr, options } = fieldsOf(item, ['expr', 'options'])
    fieldsOf(options, ['asc', 'nulls_first'])
    return expr
  })
}

function checkLimitClause(clause: unknown, judgement: Judgement): void {
  if (isAbsent(clause)) return
  const { tag, body } = variantFrom(clause)
  if (tag !== 'LimitOffset') unproven('shape')
  const { limit, offset } = fieldsOf(body, ['limit', 'offset'])
  checkLimit(limit, judgement)
  if (!isAbsent(offset)) checkLimit(fieldsOf(offset, ['value', 'rows']).value, judgement)
}

/** A number or a parameter: an expression here could hold a select. */
export function checkLimit(limit: unknown, judgement: Judgement): void {
  if (isAbsent(limit)) return
  const { tag, body } = variantFrom(limit)
  if (tag !== 'Value') unproven('shape')
  checkValue(body, judgement)
}

function checkLocks(locks: unknown, judgement: Judgement): void {
  if (judgement.dialect !== 'mysql') unproven('shape')
  for (const lock of listFrom(locks)) {
    const { of } = fieldsOf(lock, ['lock_type', 'nonblock', 'of'])
    if (!isAbsent(of)) singleNameFrom(of)
  }
}
