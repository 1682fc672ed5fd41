import { unproven } from './guard-refusal.ts'

/** A node of the parser's tree. Its declared types are looser than what it returns, so every field is read as unknown. */
export type SyntaxNode = Readonly<Record<string, unknown>>

interface Variant {
  readonly tag: string
  readonly body: unknown
}

export function nodeFrom(value: unknown): SyntaxNode {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return unproven('shape')
  return value as SyntaxNode
}

export function listFrom(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : unproven('shape')
}

/** The parser writes an alternative as a bare string or as an object with one key. */
export function variantFrom(value: unknown): Variant {
  if (typeof value === 'string') return { tag: value, body: undefined }
  const node = nodeFrom(value)
  const keys = Object.keys(node)
  const tag = keys[0]
  if (keys.length !== 1 || tag === undefined) return unproven('shape')
  return { tag, body: node[tag] }
}

/**
 * The node, if nothing is set in it but the fields named. A clause this folder does not know (QUALIFY, TABLESAMPLE,
 * FILTER, OVER, hints, whatever a later parser adds) thus refuses the statement instead of being overlooked.
 */
export function fieldsOf(value: unknown, known: readonly string[]): SyntaxNode {
  const node = nodeFrom(value)
  for (const key of Object.keys(node)) {
    if (!known.includes(key) && !isPosition(key) && !isAbsent(node[key])) return unproven('shape')
  }
  return node
}

function isPosition(key: string): boolean {
  return key === 'span' || key.endsWith('_token')
}

export function isAbsent(value: unknown): boolean {
  return value === undefined || value === null || value === false || (Array.isArray(value) && value.length === 0)
}

const STORED_NAME = /^[a-z][a-z0-9_]{0,62}$/
const GIVEN_NAME = /^[A-Za-z_][A-Za-z0-9_]{0,126}$/

/** The text of an identifier. A string in its place (`SELECT 1 'x'`) has a single quote as its style. */
export function identifierFrom(value: unknown): string {
  const node = fieldsOf(value, ['value', 'quote_style'])
  if (node.quote_style === "'" || typeof node.value !== 'string') return unproven('name')
  return GIVEN_NAME.test(node.value) ? node.value : unproven('name')
}

export function isGivenName(name: string): boolean {
  return GIVEN_NAME.test(name)
}

export function isStoredName(name: string): boolean {
  return STORED_NAME.test(name)
}

/** Tables and their columns are lower case everywhere: engines disagree on case, so no second spelling exists. */
export function storedName(name: string): string {
  return isStoredName(name) ? name : unproven('name')
}

/** A name of one part. `other_database.users` and `main.users` reach rows the proof says nothing about. */
export function singleNameFrom(value: unknown): string {
  const parts = listFrom(value)
  if (parts.length !== 1) return unproven('qualified-table')
  const part = variantFrom(parts[0])
  return part.tag === 'Identifier' ? identifierFrom(part.body) : unproven('shape')
}
