import { init, parse } from '@guanmingchiu/sqlparser-ts'
import { describe, expect, test } from 'vitest'
import { GuardRefusal, Unproven } from '../../../src/sql-guard/guard-refusal.ts'
import type { GuardDialect } from '../../../src/sql-guard/guard-types.ts'
import { judgementOf } from '../../../src/sql-guard/verdict.ts'
import { CORPUS } from './corpus.ts'
import { TABLES } from './corpus-binding.ts'

// The parser belongs to somebody else, and its next release may build trees of another form. Whatever is said in a place
// where this guard knows nothing of it must refuse the statement: here honest trees are changed in one place each.

await init()

type Path = readonly (string | number)[]
type Change = (value: unknown) => unknown

interface Place {
  readonly sql: string
  readonly dialect: GuardDialect
  readonly path: Path
  readonly value: unknown
}

const platformTables = new Set([...TABLES.platformTables.values()].flatMap((purpose) => [...purpose.keys()]))

function refusalOf(
  tree: unknown,
  { sql, dialect }: Pick<Place, 'sql' | 'dialect'>,
  parameterCount = sql.split('?').length - 1,
): string | undefined {
  try {
    const judged = judgementOf(tree, parameterCount, { dialect, tables: TABLES, platformTables })
    return judged.missing.size > 0 ? 'missing' : undefined
  } catch (error) {
    if (error instanceof Unproven || error instanceof GuardRefusal) return error.reason
    return `not a refusal: ${String(error)}`
  }
}

const isNode = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Every place of a tree, but for where it stood in the text. */
function* placesIn(value: unknown, path: Path = []): Generator<readonly [Path, unknown]> {
  yield [path, value]
  if (typeof value !== 'object' || value === null) return
  for (const [key, inner] of Object.entries(value)) {
    if (key === 'span' || key.endsWith('_token')) continue
    yield* placesIn(inner, [...path, Array.isArray(value) ? Number(key) : key])
  }
}

/** They say how rows are locked, counted or put together, and never whose: whatever stands there reads no other row. */
const harmlessWords = new Set(['lock_type', 'nonblock', 'set_quantifier', 'rows'])

/** Which of the values it is: a number, a text, a placeholder. */
function kindOf({ value }: Record<string, unknown>): string {
  return isNode(value) ? (Object.keys(value)[0] ?? '') : ''
}

/** One place of each form: where names and values differ, the guard has the same to say. */
function placesOfEachForm(): Place[] {
  const found = new Map<string, Place>()
  for (const { sql, dialect, refusal } of CORPUS) {
    if (refusal !== undefined || /^(?:BEGIN|COMMIT)/.test(sql)) continue
    const [tree] = parse(sql, dialect) as unknown[]
    for (const [path, value] of placesIn(tree)) {
      const form = isNode(value) ? `${Object.keys(value).sort().join()} ${kindOf(value)}` : typeof value
      const within = path.filter((step) => typeof step === 'string').slice(-4)
      const key = `${dialect} ${within.join('.')} ${form}`
      if (!found.has(key)) found.set(key, { sql, dialect, path, value })
    }
  }
  return [...found.values()]
}

const places = placesOfEachForm()

function changed({ sql, dialect, path }: Place, change: Change): unknown {
  const tree: { root: unknown } = { root: parse(sql, dialect)[0] }
  const full = ['root', ...path]
  let at: Record<string | number, unknown> = tree as never
  for (const step of full.slice(0, -1)) at = at[step] as Record<string | number, unknown>
  const last = full.at(-1) ?? 'root'
  at[last] = change(at[last])
  return tree.root
}

const show = ({ dialect, path, sql }: Place): string => `${dialect} ${path.join('.')} of ${sql}`

/** A reason says something; the empty text is none. */
const isReason = (refusal: string | undefined): boolean => refusal !== undefined && /^[a-z-]+$/.test(refusal)

/** Places where the change was overlooked. */
function overlooked(where: (place: Place) => boolean, change: Change): string[] {
  const chosen = places.filter(where)
  expect(chosen.length).toBeGreaterThan(5)
  return chosen.filter((place) => !isReason(refusalOf(changed(place, change), place))).map(show)
}

const isVariant = ({ value }: Place): boolean =>
  isNode(value) && Object.keys(value).length === 1 && /^[A-Z]/.test(Object.keys(value)[0] ?? '')

test('the trees are those of honest statements, and enough of them', () => {
  expect(places.length).toBeGreaterThan(300)
  for (const place of places)
    expect(
      refusalOf(
        changed(place, (value) => value),
        place,
      ),
      show(place),
    ).toBeUndefined()
})

describe('a tree is refused', () => {
  test('where it says more than is known', () => {
    const isPlainNode = (place: Place): boolean => isNode(place.value) && !isVariant(place)
    expect(overlooked(isPlainNode, (value) => ({ ...Object(value), never_heard_of: { a: 1 } }))).toEqual([])
  })

  test('where a node is one of a kind that is not known', () => {
    expect(overlooked(isVariant, (value) => ({ NeverHeardOf: Object.values(Object(value))[0] }))).toEqual([])
  })

  test('where a node is of two kinds at once, or of none', () => {
    expect(overlooked(isVariant, (value) => ({ ...Object(value), NeverHeardOf: 1 }))).toEqual([])
    expect(overlooked(isVariant, () => ({}))).toEqual([])
  })

  test('where a word stands that is not known', () => {
    const isWord = ({ value, path }: Place): boolean =>
      typeof value === 'string' &&
      /^[A-Z][a-z]/.test(value) &&
      path.at(-1) !== 'value' &&
      !harmlessWords.has(String(path.at(-1)))
    expect(overlooked(isWord, () => 'NeverHeardOf')).toEqual([])
  })

  test('where something else stands than a node', () => {
    for (const instead of [7, true, ['x'], 'NeverHeardOf']) {
      expect(
        overlooked(isVariant, () => instead),
        JSON.stringify(instead),
      ).toEqual([])
    }
  })

  test('where a list is none', () => {
    const isFilledList = ({ value }: Place): boolean => Array.isArray(value) && value.length > 0
    expect(overlooked(isFilledList, (value) => ({ ...Object(value), NeverHeardOf: 1 }))).toEqual([])
  })

  test('where a placeholder does not say where it stood', () => {
    const isPlaceholder = ({ value }: Place): boolean =>
      isNode(value) && isNode(value.value) && Object.hasOwn(value.value, 'Placeholder')
    const line = { start: { line: 1 }, end: { line: 1, column: 2 } }
    const column = { start: { column: 1 }, end: { line: 1, column: 2 } }
    for (const span of [undefined, {}, line, column]) {
      const chosen = places.filter(isPlaceholder)
      expect(chosen.length).toBeGreaterThan(5)
      for (const place of chosen) {
        const tree = changed(place, (value) => ({ ...Object(value), span }))
        expect(refusalOf(tree, place), show(place)).toBe('placeholder')
      }
    }
  })
})

const values = ({ value }: Place, kind: string): boolean =>
  isNode(value) && isNode(value.value) && Object.hasOwn(value.value, kind)

test.each([
  ['Placeholder', ':name', 'placeholder'],
  ['Number', ['1', true], 'number'],
  ['SingleQuotedString', 'x', 'string-literal'],
])('a %s of another form is refused', (kind, form, reason) => {
  const chosen = places.filter((place) => values(place, kind))
  expect(chosen.length).toBeGreaterThan(0)
  for (const place of chosen) {
    const tree = changed(place, (value) => ({ ...Object(value), value: { [kind]: form } }))
    expect(refusalOf(tree, place), show(place)).toBe(reason)
  }
})

test('a placeholder that the parser drops, or hides where nobody looks, is missed', () => {
  const place = { sql: 'SELECT id FROM members WHERE tenant_id = ? FOR UPDATE', dialect: 'mysql' } as const
  const open = () => structuredClone(parse(place.sql, place.dialect)[0]) as unknown as { Query: { locks: object[] } }
  expect(refusalOf(open(), place)).toBeUndefined()
  expect(refusalOf(open(), place, 2)).toBe('placeholder')
  const hiding = open()
  const start = { line: 1, column: 90 }
  Object.assign(hiding.Query.locks[0] ?? {}, { lock_type: { value: { Placeholder: '?' }, span: { start } } })
  expect(refusalOf(hiding, place, 2)).toBe('placeholder')
})

test('a statement of a kind that is not known is refused though it has no values', () => {
  for (const dialect of ['sqlite', 'mysql'] as const) {
    expect(refusalOf({ Vacuum: {} }, { sql: 'VACUUM', dialect })).toBe('statement-kind')
  }
})

test('a node that is null is absent or refuses the statement, and is never stumbled over', () => {
  for (const place of places.filter(({ value }) => isNode(value))) {
    const refusal = refusalOf(
      changed(place, () => null),
      place,
    )
    expect(refusal === undefined || isReason(refusal), `${show(place)}: ${refusal}`).toBe(true)
  }
})

test('a clause that is null is one that is not there', () => {
  for (const place of places.filter((each) => isNode(each.value) && !isVariant(each))) {
    const tree = changed(place, (value) => ({ value: null, ...Object(value), never_heard_of: null }))
    expect(refusalOf(tree, place), show(place)).toBeUndefined()
  }
  const sql = 'SELECT id FROM members'
  const [tree] = parse(sql, 'sqlite') as unknown as { Query: { body: { Select: Record<string, unknown> } } }[]
  if (tree === undefined) throw new Error('nothing was parsed')
  tree.Query.body.Select.selection = null
  expect(refusalOf(tree, { sql, dialect: 'sqlite' })).toBe('missing')
})
