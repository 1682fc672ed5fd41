import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { TenureError } from '../../../src/base/errors.ts'
import { parseFilter } from '../../../src/base/filter.ts'

const compare = (field: string, operator: string, value: string) => ({ kind: 'compare', field, operator, value })
const a = compare('a', '=', '1')
const b = compare('b', '=', '2')
const c = compare('c', '=', '3')

describe('a filter is read as AIP-160 says', () => {
  test.each([
    ['a = 1', a],
    ['a=1', a],
    ['a:1', a],
    ['a = "1"', a],
    ["a = '1'", a],
    ['a != 1', compare('a', '!=', '1')],
    ['a <= 1', compare('a', '<=', '1')],
    ['a >= 1', compare('a', '>=', '1')],
    ['a < 1', compare('a', '<', '1')],
    ['a > 1', compare('a', '>', '1')],
    ['a = 1 AND b = 2', { kind: 'and', parts: [a, b] }],
    ['a = 1 b = 2', { kind: 'and', parts: [a, b] }],
    ['a = 1 OR b = 2', { kind: 'or', parts: [a, b] }],
    ['NOT a = 1', { kind: 'not', part: a }],
    ['a = 1 AND b = 2 OR c = 3', { kind: 'and', parts: [a, { kind: 'or', parts: [b, c] }] }],
    ['(a = 1 AND b = 2) OR c = 3', { kind: 'or', parts: [{ kind: 'and', parts: [a, b] }, c] }],
    ['NOT (a = 1 OR b = 2)', { kind: 'not', part: { kind: 'or', parts: [a, b] } }],
    ['a = "it\\"s"', compare('a', '=', 'it"s')],
    ['a = "x OR b = 2"', compare('a', '=', 'x OR b = 2')],
    ['a = "AND"', compare('a', '=', 'AND')],
  ])('%s', (text, expected) => {
    expect(parseFilter(text)).toEqual(expected)
  })
})

test.each(['', ' ', '\n\t '])('%j asks for everything', (text) => {
  expect(parseFilter(text)).toBeUndefined()
})

function reasonOf(text: string): string {
  try {
    parseFilter(text)
    return 'read'
  } catch (error) {
    if (!(error instanceof TenureError)) throw error
    expect(error.fieldViolations.map(({ field }) => field)).toEqual(['filter'])
    return error.reason
  }
}

test.each([
  'a',
  'a =',
  '= 1',
  'a = = 1',
  'a = 1 AND',
  'a = 1 OR',
  'OR a = 1',
  'NOT',
  '(a = 1',
  'a = 1)',
  '()',
  'a = "1',
  "a = '1",
  'a = 1 AND AND b = 2',
  '"a" = 1',
])('%j is refused with the field that held it', (text) => {
  expect(reasonOf(text)).toBe('INVALID_FILTER')
})

describe('no filter makes the server work without bound', () => {
  test('comparisons are counted', () => {
    const of = (count: number): string => Array.from({ length: count }, () => 'a = 1').join(' AND ')
    expect(reasonOf(of(50))).toBe('read')
    expect(reasonOf(of(51))).toBe('INVALID_FILTER')
  })

  test('nesting is counted', () => {
    const of = (depth: number): string => `${'('.repeat(depth)}a = 1${')'.repeat(depth)}`
    expect(reasonOf(of(10))).toBe('read')
    expect(reasonOf(of(11))).toBe('INVALID_FILTER')
    expect(reasonOf(of(20_000))).toBe('INVALID_FILTER')
  })

  test('negation is nesting: a chain of NOT does not eat the stack', () => {
    expect(reasonOf(`${'NOT '.repeat(20_000)}a = 1`)).toBe('INVALID_FILTER')
  })
})

const pieces = [
  'a',
  'b',
  '=',
  '!=',
  '<=',
  ':',
  '(',
  ')',
  'AND',
  'OR',
  'NOT',
  '"x"',
  "'y'",
  '"',
  '\\',
  ' ',
  '\n',
  '\u0000',
  '\ud800',
  '-',
  '😀',
]

test('whatever the text, it is read or refused as a filter', () => {
  const text = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 200 }),
    fc.array(fc.constantFrom(...pieces), { maxLength: 60 }).map((parts) => parts.join(' ')),
    fc.array(fc.constantFrom(...pieces), { maxLength: 60 }).map((parts) => parts.join('')),
  )
  fc.assert(
    fc.property(text, (filter) => {
      expect(['read', 'INVALID_FILTER']).toContain(reasonOf(filter))
    }),
    { numRuns: 2_000 },
  )
})

test('a value in quotes comes out as it went in', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 60 }), (value) => {
      const quoted = `"${value.replaceAll(/[\\"]/g, '\\$&')}"`
      expect(parseFilter(`a = ${quoted}`)).toEqual(compare('a', '=', value))
    }),
    { numRuns: 1_000 },
  )
})
