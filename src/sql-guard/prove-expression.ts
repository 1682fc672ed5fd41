import { unproven } from './guard-refusal.ts'
import { columnName, type Judgement, type Reference, type Scope } from './judgement.ts'
import { fieldsOf, identifierFrom, isAbsent, listFrom, nodeFrom, variantFrom } from './syntax-node.ts'

/** Proves a sub-select; handed in, because selects hold expressions and expressions hold selects. */
type ProveSubselect = (query: unknown, scope: Scope) => void

export interface Walk {
  readonly judgement: Judgement
  readonly scope: Scope
  readonly subselect: ProveSubselect
  /** Set in ORDER BY, GROUP BY and HAVING, where names of the select list are visible. */
  readonly outputsVisible: boolean
}

const CONNECTIVES = new Set(['And', 'Or'])
const COMPARISONS = new Set(['Eq', 'NotEq', 'Lt', 'LtEq', 'Gt', 'GtEq'])
const ARITHMETIC = new Set(['Plus', 'Minus', 'Multiply'])
const FUNCTIONS = new Set(['count', 'max', 'min', 'sum', 'coalesce'])
const OPERANDS = new Set(['Identifier', 'CompoundIdentifier', 'Value', 'Nested', 'Function', 'Subquery'])

/** Walks an expression and refuses whatever is not on the list; proves every select inside it. */
export function checkExpression(expression: unknown, walk: Walk): void {
  const { tag, body } = variantFrom(expression)
  switch (tag) {
    case 'Identifier':
    case 'CompoundIdentifier':
      checkColumn(tag === 'Identifier' ? [body] : listFrom(body), walk)
      return
    case 'Value':
      checkValue(body, walk.judgement)
      return
    case 'Nested':
      checkExpression(body, walk)
      return
    case 'BinaryOp':
      checkBinary(body, walk)
      return
    case 'UnaryOp':
      checkUnary(body, walk)
      return
    case 'Function':
      checkFunction(body, walk)
      return
    case 'Subquery':
      walk.subselect(body, walk.scope)
      return
    case 'Exists':
      walk.subselect(fieldsOf(body, ['subquery', 'negated']).subquery, walk.scope)
      return
    default:
      checkPredicate(tag, body, walk)
      return
  }
}

function checkPredicate(tag: string, body: unknown, walk: Walk): void {
  switch (tag) {
    case 'IsNull':
    case 'IsNotNull':
      checkOperand(body, walk)
      return
    case 'IsDistinctFrom':
    case 'IsNotDistinctFrom':
      checkOperands(listFrom(body), walk)
      return
    case 'InList': {
      const { expr, list } = fieldsOf(body, ['expr', 'list', 'negated'])
      checkOperands([expr, ...listFrom(list)], walk)
      return
    }
    case 'InSubquery': {
      const { expr, subquery } = fieldsOf(body, ['expr', 'subquery', 'negated'])
      checkOperand(expr, walk)
      walk.subselect(subquery, walk.scope)
      return
    }
    case 'Between': {
      const { expr, low, high } = fieldsOf(body, ['expr', 'low', 'high', 'negated'])
      checkOperands([expr, low, high], walk)
      return
    }
    case 'Like': {
      const { expr, pattern } = fieldsOf(body, ['expr', 'pattern', 'negated'])
      checkOperands([expr, pattern], walk)
      return
    }
    default:
      unproven('shape')
  }
}

function checkOperands(expressions: readonly unknown[], walk: Walk): void {
  for (const expression of expressions) checkOperand(expression, walk)
}

/**
 * An operand binds tighter than any comparison or stands in parentheses. So no statement's meaning hangs on how an
 * engine ranks its comparisons, and `tenant_id = ? = 1` or `tenant_id = ? IS NULL` is refused as such.
 */
function checkOperand(expression: unknown, walk: Walk): void {
  const { tag, body } = variantFrom(expression)
  const operator = tag === 'BinaryOp' || tag === 'UnaryOp' ? String(nodeFrom(body).op) : ''
  const arithmetic = tag === 'BinaryOp' ? ARITHMETIC.has(operator) : operator === 'Minus'
  if (!OPERANDS.has(tag) && !arithmetic) unproven('shape')
  checkExpression(expression, walk)
}

function checkBinary(body: unknown, walk: Walk): void {
  const { left, op, right } = fieldsOf(body, ['left', 'op', 'right'])
  if (typeof op !== 'string') unproven('shape')
  if (CONNECTIVES.has(op)) {
    checkExpression(left, walk)
    checkExpression(right, walk)
    return
  }
  if (!COMPARISONS.has(op) && !ARITHMETIC.has(op)) unproven('shape')
  checkOperands([left, right], walk)
}

function checkUnary(body: unknown, walk: Walk): void {
  const { op, expr } = fieldsOf(body, ['op', 'expr'])
  const { tag } = variantFrom(expr)
  // NOT ranks differently under MySQL's HIGH_NOT_PRECEDENCE: it must hold parentheses.
  if (op === 'Not' && (tag === 'Nested' || tag === 'Exists')) {
    checkExpression(expr, walk)
    return
  }
  if (op === 'Minus' && (tag === 'Value' || tag === 'Nested')) {
    checkExpression(expr, walk)
    return
  }
  unproven('shape')
}

export function checkValue(body: unknown, judgement: Judgement): void {
  const ordinal = judgement.placeholders.get(body)
  const { tag, body: literal } = variantFrom(fieldsOf(body, ['value']).value)
  switch (tag) {
    case 'Placeholder':
      if (literal !== '?' || ordinal === undefined) unproven('placeholder')
      judgement.seen.add(ordinal)
      return
    case 'Number':
      if (listFrom(literal)[1] !== false) unproven('number')
      return
    case 'SingleQuotedString':
      if (literal !== '') unproven('string-literal')
      return
    case 'Null':
    case 'Boolean':
      return
    default:
      unproven('shape')
  }
}

function checkFunction(body: unknown, walk: Walk): void {
  const node = fieldsOf(body, ['name', 'args', 'parameters'])
  const parts = listFrom(node.name)
  const part = variantFrom(parts[0])
  if (parts.length !== 1 || part.tag !== 'Identifier' || node.parameters !== 'None') unproven('function')
  const name = identifierFrom(part.body).toLowerCase()
  if (!isAbsent(nodeFrom(part.body).quote_style)) unproven('function')
  const { tag, body: list } = variantFrom(node.args)
  if (tag !== 'List') unproven('function')
  const fields = fieldsOf(list, ['args', 'duplicate_treatment'])
  const distinct = fields.duplicate_treatment
  if (distinct !== undefined && distinct !== null && distinct !== 'Distinct') unproven('function')
  const args = listFrom(fields.args).map((arg) => {
    const unnamed = variantFrom(arg)
    return unnamed.tag === 'Unnamed' ? variantFrom(unnamed.body) : unproven('function')
  })
  if (name === 'values' && walk.scope.valuesFunction) {
    if (args.length !== 1 || variantFrom(args[0]?.body).tag !== 'Identifier') unproven('function')
  } else if (!FUNCTIONS.has(name)) {
    unproven('function')
  }
  for (const arg of args) {
    if (arg.tag === 'Expr') checkExpression(arg.body, walk)
    else if (arg.tag !== 'Wildcard' || name !== 'count') unproven('function')
  }
}

function checkColumn(parts: readonly unknown[], walk: Walk): void {
  const [first, second] = parts
  if (parts.length === 1) {
    checkBareColumn(identifierFrom(first), walk)
    return
  }
  // Three parts name a database: `other.users.tenant_id`.
  if (parts.length !== 2) unproven('qualified-table')
  const reference = referenceNamed(identifierFrom(first), walk.scope)
  const column = identifierFrom(second)
  if (reference.table !== undefined) columnName(column, walk.judgement)
}

function checkBareColumn(name: string, { judgement, scope, outputsVisible }: Walk): void {
  if (outputsVisible && scope.outputs.has(name)) return
  const only = scope.references.length === 1 ? scope.references[0] : undefined
  // What a derived table gives was proven inside it, and it never pins anything, so its names may stand bare.
  if (only !== undefined && only.table === undefined) return
  if (judgement.qualify) unproven('unqualified-column')
  columnName(name, judgement)
}

/** Exact spelling only: MySQL tells `U` from `u`, SQLite does not. */
function referenceNamed(alias: string, scope: Scope): Reference {
  for (let at: Scope | undefined = scope; at !== undefined; at = at.parent) {
    const reference = at.references.find((candidate) => candidate.alias === alias)
    if (reference !== undefined) return reference
  }
  return unproven('unknown-reference')
}
