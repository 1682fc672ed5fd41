import { bytesColumn, jsonColumn } from './columns.ts'

/** How a code is stored. Nullable, because rows were written before there were codes. */
export function rowCodeColumn() {
  return { rowCode: bytesColumn('rowCode', { length: 32, nullable: true }) }
}

/**
 * A list of words. Anything else that stands there reads as an empty one, which is genuine only where an empty one was
 * written: so one row is forged, where text that cannot be read would take everything down that reads it beside others.
 */
export function codedListColumn(property: string) {
  return whereReadable(property, {}, isListOfWords, () => [])
}

/** An object of which `isOne` holds, or nothing, which anything else reads as, for the same reason. */
export function codedObjectColumn(property: string, isOne: (value: object) => boolean = () => true) {
  return whereReadable(
    property,
    { nullable: true },
    (value) => value === null || (isObject(value) && isOne(value)),
    () => null,
  )
}

/** An object of which `isOne` holds. Anything else reads as `empty`, for the same reason, whether or not a code covers it. */
export function codedNotesColumn(property: string, isOne: (value: object) => boolean, empty: object) {
  return whereReadable(
    property,
    {},
    (value) => isObject(value) && isOne(value),
    () => empty,
  )
}

/** Labels of a row that carries a code: none where anything else stands than a word for each. */
export function codedLabelsColumn(property: string) {
  return codedNotesColumn(property, (value) => Object.values(value).every((each) => typeof each === 'string'), {})
}

function isListOfWords(value: unknown): boolean {
  return Array.isArray(value) && value.every((each) => typeof each === 'string')
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function whereReadable(
  property: string,
  options: Parameters<typeof jsonColumn>[1],
  isReadable: (value: unknown) => boolean,
  instead: () => object | null,
) {
  const { transformer, ...column } = jsonColumn(property, options)
  const from = (text: string | null): object | null => {
    try {
      const value: unknown = transformer.from(text)
      return isReadable(value) ? (value as object | null) : instead()
    } catch {
      return instead()
    }
  }
  return { ...column, transformer: { ...transformer, from } }
}

/**
 * Tables whose codes have one key and began at one start: `grants` say who may do what, `places` what a name stands for and
 * whether it is open, `operations` what servers do later in somebody's name. One that began later begins by itself, in a
 * database where the others have codes already.
 */
export const codeFamilies = ['grants', 'places', 'operations'] as const
export type CodeFamily = (typeof codeFamilies)[number]

export interface Coded {
  readonly family: CodeFamily
  readonly properties: readonly string[]
}

const covered = new WeakMap<object, Coded>()

/**
 * Says of a table that its rows grant power: each carries a keyed code over its primary key and these properties, which
 * are all that decisions rest on. What the kernel writes gets its code by itself; what has none, or a wrong one, grants
 * nothing. Another list of properties makes every code that is stored a wrong one.
 */
export function coded<Table extends object>(
  table: Table,
  properties: readonly string[],
  family: CodeFamily = 'grants',
): Table {
  covered.set(table, { family, properties })
  return table
}

/** Undefined: rows of that table carry no code. */
export function codedOf(table: object): Coded | undefined {
  return covered.get(table)
}
