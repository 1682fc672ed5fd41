import { PINS, type Pin } from './guard-types.ts'
import { barePlaceholder, type Judgement, keyColumn, type Scope } from './judgement.ts'
import { identifierFrom, listFrom, nodeFrom, variantFrom } from './syntax-node.ts'

interface PinnedColumn {
  readonly reference: number
  readonly pin: Pin
}

/** `reference.key = ?`, or `reference.key = other.key`, that must hold for every row an expression lets through. */
interface Fact extends PinnedColumn {
  readonly other: number | undefined
  readonly ordinals: ReadonlySet<number>
}

type Facts = ReadonlyMap<string, Fact>

export interface OuterJoin {
  /** The null-supplied side: the only reference the join's condition can pin. */
  readonly reference: number
  readonly on: unknown
}

const NO_FACTS: Facts = new Map()

/**
 * Demands a proof for each of the scope's tables and records the parameters it rests on. `filters` are WHERE and the
 * conditions of inner joins. An outer join's condition lets every row of its left side through whatever it says:
 * `LEFT JOIN b ON b.tenant_id = m.tenant_id AND m.tenant_id = ?` returns all of m.
 */
export function provePins(
  scope: Scope,
  filters: readonly unknown[],
  outerJoins: readonly OuterJoin[],
  judgement: Judgement,
): void {
  const everywhere = filters.map((filter) => factsOf(filter, scope, judgement)).reduce(both, NO_FACTS)
  const outer = outerJoins.map(({ reference, on }) => ({ reference, facts: factsOf(on, scope, judgement) }))
  for (const pin of PINS) {
    const rules = [...everywhere.values()].flatMap((fact) => [fact, ...mirrored(fact)])
    for (const { reference, facts } of outer) {
      for (const fact of facts.values()) {
        rules.push(...[fact, ...mirrored(fact)].filter((rule) => rule.reference === reference))
      }
    }
    provePin(pin, rules, scope, judgement)
  }
}

function provePin(pin: Pin, rules: readonly Fact[], scope: Scope, judgement: Judgement): void {
  const demanded = scope.references.map(({ table }) => keyColumn(pin, table, judgement) !== undefined)
  const pinned = new Set<number>()
  // Each round pins one more reference or is the last.
  for (let round = 0; round <= scope.references.length; round += 1) {
    for (const rule of rules) {
      if (rule.pin !== pin || demanded[rule.reference] !== true) continue
      if (rule.other !== undefined && !pinned.has(rule.other)) continue
      pinned.add(rule.reference)
      for (const ordinal of rule.ordinals) judgement.pins[pin].add(ordinal)
    }
  }
  if (demanded.some((needed, reference) => needed && !pinned.has(reference))) judgement.missing.add(pin)
}

function mirrored(fact: Fact): Fact[] {
  return fact.other === undefined ? [] : [{ ...fact, reference: fact.other, other: fact.reference }]
}

/** What an expression guarantees: all of either side of AND, what both sides of OR have in common, nothing of the rest. */
function factsOf(expression: unknown, scope: Scope, judgement: Judgement): Facts {
  if (expression === undefined || expression === null) return NO_FACTS
  const { tag, body } = variantFrom(expression)
  if (tag === 'Nested') return factsOf(body, scope, judgement)
  if (tag !== 'BinaryOp') return NO_FACTS
  const { left, op, right } = nodeFrom(body)
  if (op === 'And') return both(factsOf(left, scope, judgement), factsOf(right, scope, judgement))
  if (op === 'Or') return either(factsOf(left, scope, judgement), factsOf(right, scope, judgement))
  return op === 'Eq' ? factsOfEquality(left, right, scope, judgement) : NO_FACTS
}

function factsOfEquality(left: unknown, right: unknown, scope: Scope, judgement: Judgement): Facts {
  const pinned = pinnedColumn(left, scope, judgement)
  if (pinned === undefined) return NO_FACTS
  const ordinal = barePlaceholder(right, judgement)
  if (ordinal !== undefined) return new Map([oneFact({ ...pinned, other: undefined, ordinals: new Set([ordinal]) })])
  const other = pinnedColumn(right, scope, judgement)
  if (other === undefined || other.pin !== pinned.pin || other.reference === pinned.reference) return NO_FACTS
  const [low, high] = [Math.min(pinned.reference, other.reference), Math.max(pinned.reference, other.reference)]
  return new Map([oneFact({ reference: low, pin: pinned.pin, other: high, ordinals: new Set() })])
}

function oneFact(fact: Fact): [string, Fact] {
  return [`${fact.pin} ${fact.reference} ${fact.other ?? '?'}`, fact]
}

/** A bare key column of one of the select's own references; an outer select's column proves nothing about its own. */
function pinnedColumn(expression: unknown, scope: Scope, judgement: Judgement): PinnedColumn | undefined {
  const { tag, body } = variantFrom(expression)
  if (tag !== 'Identifier' && tag !== 'CompoundIdentifier') return undefined
  const parts = (tag === 'Identifier' ? [body] : listFrom(body)).map(identifierFrom)
  const reference =
    parts.length === 1 ? soleReference(scope) : scope.references.findIndex(({ alias }) => alias === parts[0])
  const table = scope.references[reference]?.table
  const pin = PINS.find((candidate) => keyColumn(candidate, table, judgement) === parts.at(-1))
  return pin === undefined ? undefined : { reference, pin }
}

function soleReference(scope: Scope): number {
  return scope.references.length === 1 ? 0 : -1
}

function both(a: Facts, b: Facts): Facts {
  const facts = new Map(a)
  for (const [key, fact] of b) {
    const known = facts.get(key)
    facts.set(key, known === undefined ? fact : withOrdinals(known, fact))
  }
  return facts
}

function either(a: Facts, b: Facts): Facts {
  const facts = new Map<string, Fact>()
  for (const [key, fact] of a) {
    const other = b.get(key)
    if (other !== undefined) facts.set(key, withOrdinals(fact, other))
  }
  return facts
}

function withOrdinals(a: Fact, b: Fact): Fact {
  return { ...a, ordinals: new Set([...a.ordinals, ...b.ordinals]) }
}
