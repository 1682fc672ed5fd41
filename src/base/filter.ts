import { TenureError } from './errors.ts'

export type FilterOperator = '=' | '!=' | '<' | '<=' | '>' | '>='

/** A filter of AIP-160, taken apart: comparisons of a field with a text, joined by AND, OR and NOT. */
export type Filter =
  | { readonly kind: 'and' | 'or'; readonly parts: readonly Filter[] }
  | { readonly kind: 'not'; readonly part: Filter }
  | { readonly kind: 'compare'; readonly field: string; readonly operator: FilterOperator; readonly value: string }

/** Bounds the work a filter can cause: nesting, and comparisons in one statement. */
const maxDepth = 10
const maxComparisons = 50

const token = /\s*(?:(\()|(\))|(<=|>=|!=|=|<|>|:)|"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|([^\s()<>=!:"']+))/y

interface Token {
  readonly kind: '(' | ')' | 'operator' | 'text' | 'word'
  readonly text: string
}

/** Undefined for an empty filter. Throws INVALID_FILTER with the place that cannot be read. */
export function parseFilter(text: string): Filter | undefined {
  const tokens = tokensOf(text)
  if (tokens.length === 0) return undefined
  const reader = new FilterReader(tokens)
  const filter = reader.either(0)
  reader.end()
  return filter
}

export function invalidFilter(detail: string): TenureError {
  return new TenureError('INVALID_FILTER', `filter: ${detail}`, {
    fieldViolations: [{ field: 'filter', description: detail }],
  })
}

function tokensOf(text: string): Token[] {
  const tokens: Token[] = []
  token.lastIndex = 0
  while (token.lastIndex < text.length) {
    if (/^\s*$/.test(text.slice(token.lastIndex))) break
    const at = token.lastIndex
    const match = token.exec(text)
    if (match === null) throw invalidFilter(`cannot be read at position ${at + 1}`)
    tokens.push(tokenFrom(match))
  }
  return tokens
}

function tokenFrom([, open, close, operator, double, single, word]: RegExpExecArray): Token {
  if (open !== undefined) return { kind: '(', text: open }
  if (close !== undefined) return { kind: ')', text: close }
  if (operator !== undefined) return { kind: 'operator', text: operator }
  const quoted = double ?? single
  if (quoted !== undefined) return { kind: 'text', text: quoted.replace(/\\(.)/g, '$1') }
  return { kind: 'word', text: word ?? '' }
}

class FilterReader {
  readonly #tokens: readonly Token[]
  #at = 0
  #comparisons = 0

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens
  }

  end(): void {
    const left = this.#tokens[this.#at]
    if (left !== undefined) throw invalidFilter(`does not expect ${JSON.stringify(left.text)} there`)
  }

  /** AIP-160 binds OR tighter than AND. */
  either(depth: number): Filter {
    if (depth > maxDepth) throw invalidFilter(`is nested deeper than ${maxDepth}`)
    const parts = [this.#alternatives(depth)]
    while (this.#takeWord('AND') || this.#startsTerm()) parts.push(this.#alternatives(depth))
    return joined('and', parts)
  }

  #alternatives(depth: number): Filter {
    const parts = [this.#term(depth)]
    while (this.#takeWord('OR')) parts.push(this.#term(depth))
    return joined('or', parts)
  }

  #term(depth: number): Filter {
    if (depth > maxDepth) throw invalidFilter(`is nested deeper than ${maxDepth}`)
    if (this.#takeWord('NOT')) return { kind: 'not', part: this.#term(depth + 1) }
    if (this.#tokens[this.#at]?.kind === '(') {
      this.#at += 1
      const inner = this.either(depth + 1)
      if (this.#tokens[this.#at]?.kind !== ')') throw invalidFilter('lacks a closing parenthesis')
      this.#at += 1
      return inner
    }
    return this.#comparison()
  }

  #comparison(): Filter {
    this.#comparisons += 1
    if (this.#comparisons > maxComparisons) throw invalidFilter(`has more than ${maxComparisons} comparisons`)
    const field = this.#next('word', 'a field')
    const operator = this.#next('operator', `an operator after ${JSON.stringify(field)}`)
    const value = this.#tokens[this.#at]
    if (value?.kind !== 'text' && value?.kind !== 'word')
      throw invalidFilter(`lacks a value after ${JSON.stringify(operator)}`)
    this.#at += 1
    return {
      kind: 'compare',
      field,
      operator: operator === ':' ? '=' : (operator as FilterOperator),
      value: value.text,
    }
  }

  #next(kind: Token['kind'], what: string): string {
    const found = this.#tokens[this.#at]
    if (found?.kind !== kind) throw invalidFilter(`expects ${what}${found === undefined ? ' at its end' : ''}`)
    this.#at += 1
    return found.text
  }

  #takeWord(word: string): boolean {
    const found = this.#tokens[this.#at]
    if (found?.kind !== 'word' || found.text !== word) return false
    this.#at += 1
    return true
  }

  #startsTerm(): boolean {
    const found = this.#tokens[this.#at]
    return found !== undefined && (found.kind === '(' || (found.kind === 'word' && found.text !== 'OR'))
  }
}

function joined(kind: 'and' | 'or', parts: readonly Filter[]): Filter {
  const [only] = parts
  return parts.length === 1 && only !== undefined ? only : { kind, parts }
}
