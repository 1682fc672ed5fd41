import { DepthMeter } from './depth-meter.ts'
import { unproven } from './guard-refusal.ts'
import type { GuardDialect } from './guard-types.ts'
import { isKeyword, isReservedWord } from './sql-words.ts'

/** Longer than any bulk statement of a thousand rows that honest code writes. */
const STATEMENT_LENGTH_MAX = 512 * 1024

const WORD = /[A-Za-z_][A-Za-z0-9_]*/y
const NUMBER = /[0-9]+(?:\.[0-9]+)?/y
const WORD_CHARACTER = /[A-Za-z0-9_]/
const UNQUOTED_NAME = /^[a-z_][a-z0-9_]*$/
const QUOTED_NAME: Readonly<Record<GuardDialect, RegExp>> = {
  sqlite: /"[A-Za-z_][A-Za-z0-9_]*"(?!["'A-Za-z0-9_])/y,
  mysql: /`[A-Za-z_][A-Za-z0-9_]*`(?![`'"A-Za-z0-9_])/y,
}
const PUNCTUATION = new Set(['(', ')', ',', '.', '=', '<', '>', '+', '-', '*'])
const PAIRS = new Set(['<=', '>=', '<>', '!='])

/**
 * Judges the text before any parse and returns how many `?` it holds. What engine and parser could read differently
 * never reaches the parser: `a=? || 1`, `… XOR 1` and executable comments parse as harmless and return other tenants' rows.
 */
export function checkText(sql: string, dialect: GuardDialect): number {
  if (sql.length > STATEMENT_LENGTH_MAX) return unproven('too-long')
  const depth = new DepthMeter()
  let placeholders = 0
  let at = 0
  while (at < sql.length) {
    const character = sql.charAt(at)
    const previous = at === 0 ? ' ' : sql.charAt(at - 1)
    if (character === ' ' || character === '\n') {
      at += 1
    } else if (character === '?') {
      checkPlaceholder(previous, sql.charAt(at + 1))
      placeholders += 1
      at += 1
    } else if (character === "'") {
      checkEmptyString(sql, at, previous)
      at += 2
    } else if (WORD_CHARACTER.test(character)) {
      const length = wordOrNumberLength(sql, at)
      depth.word(sql.slice(at, at + length))
      at += length
    } else if (character === '"' || character === '`') {
      at += matchLength(QUOTED_NAME[dialect], sql, at) ?? unproven('quoted-name')
    } else {
      const length = symbolLength(sql, at)
      depth.symbol(sql.slice(at, at + length))
      at += length
    }
  }
  return placeholders
}

function checkPlaceholder(previous: string, next: string): void {
  // `??` is a name placeholder of mysql2; `?1` binds by number, so position would prove nothing.
  if (next === '?' || WORD_CHARACTER.test(next) || WORD_CHARACTER.test(previous)) unproven('placeholder')
}

function checkEmptyString(sql: string, at: number, previous: string): void {
  // A word before the quote is a character set introducer (`_utf8mb4'…'`) or a bit, hex or national literal.
  if (sql.charAt(at + 1) !== "'" || sql.charAt(at + 2) === "'" || WORD_CHARACTER.test(previous)) {
    unproven('string-literal')
  }
}

function wordOrNumberLength(sql: string, at: number): number {
  const digits = matchLength(NUMBER, sql, at)
  if (digits !== undefined) {
    // `0x…`, `1e5` and `1abc`: engines disagree on where the number ends.
    return /[A-Za-z0-9_.]/.test(sql.charAt(at + digits)) ? unproven('number') : digits
  }
  const length = matchLength(WORD, sql, at) ?? unproven('character')
  const word = sql.slice(at, at + length)
  if (!isKeyword(word) && (!UNQUOTED_NAME.test(word) || isReservedWord(word))) return unproven('word')
  return length
}

function symbolLength(sql: string, at: number): number {
  const character = sql.charAt(at)
  const pair = sql.slice(at, at + 2)
  if (pair === '--' || pair === '/*' || pair === '*/' || character === '#') return unproven('comment')
  if (character === '\\') return unproven('backslash')
  if (character === ';') return unproven('stacked')
  if (character === '@' || pair === ':=') return unproven('variable')
  if (character === ':' || character === '$') return unproven('placeholder')
  if (PAIRS.has(pair)) return /[=<>!]/.test(sql.charAt(at + 2)) ? unproven('operator') : 2
  if (/^(?:[|&^~!/%]|==|<<|>>|->|=>|=<|=!)/.test(pair)) return unproven('operator')
  if (character === '.' && /[0-9]/.test(sql.charAt(at + 1))) return unproven('number')
  return PUNCTUATION.has(character) ? 1 : unproven('character')
}

function matchLength(pattern: RegExp, sql: string, at: number): number | undefined {
  pattern.lastIndex = at
  return pattern.exec(sql)?.[0].length
}
