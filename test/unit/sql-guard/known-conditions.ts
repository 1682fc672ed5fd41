/** The key columns of the tables that these statements are about. */
export type PinColumn = 'tenant_id' | 'workspace_id'

import { T, W } from './corpus-binding.ts'

export interface Table {
  readonly name: string
  readonly pins: readonly PinColumn[]
}

export const tables: readonly Table[] = [
  { name: 'members', pins: ['tenant_id'] },
  { name: 'roles', pins: ['tenant_id'] },
  { name: 'notes', pins: ['tenant_id', 'workspace_id'] },
]

/** `alias.column = ?`, or `alias.column = other.column`, for every row that its condition lets through. */
interface Pin {
  readonly alias: string
  readonly column: PinColumn
  readonly other: string | undefined
  readonly parameters: readonly number[]
  /** The null-supplied side of the outer join whose condition it stands in: it says nothing of any other reference. */
  readonly outerJoinOf: string | undefined
}

export interface Condition {
  readonly sql: string
  readonly params: readonly string[]
  readonly pins: readonly Pin[]
}

/** Choices that the seed decides. */
export interface Draw {
  below(limit: number): number
  pick<T>(values: readonly T[]): T
  chance(part: number): boolean
}

/** Mulberry32: the same seed, the same statements, on every machine. */
export function drawsFrom(seed: number): Draw {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  return {
    below: (limit) => Math.floor(next() * limit),
    pick(values) {
      const value = values[Math.floor(next() * values.length)]
      if (value === undefined) throw new Error('nothing to pick from')
      return value
    },
    chance: (part) => next() < part,
  }
}

const own = { tenant_id: T, workspace_id: W } as const

/** One of the forms that prove a key. */
export function pinned(
  draw: Draw,
  alias: string,
  others: readonly string[],
  column: PinColumn,
  outerJoinOf: string | undefined,
): Condition {
  const value = own[column]
  const pin = { alias, column, other: undefined, outerJoinOf }
  const key = `${alias}.${column}`
  const form = draw.below(others.length > 0 ? 8 : 5)
  if (form === 0) {
    return {
      sql: `((${key} = ? AND ${alias}.id = ?) OR (${key} = ? AND ${alias}.visits > ?))`,
      params: [value, 'a', value, 'x'],
      pins: [{ ...pin, parameters: [0, 2] }],
    }
  }
  if (form === 1) {
    return {
      sql: `${alias}.id <> ? AND (${key} = ? AND (${alias}.id = ? OR ${alias}.visits IS NULL OR 1 = 1))`,
      params: ['z', value, 'a'],
      pins: [{ ...pin, parameters: [1] }],
    }
  }
  if (form === 2) return { sql: `((${key} = ?))`, params: [value], pins: [{ ...pin, parameters: [0] }] }
  if (form < 5) return { sql: `${key} = ?`, params: [value], pins: [{ ...pin, parameters: [0] }] }
  const other = draw.pick(others)
  const sides = draw.chance(0.5) ? `${key} = ${other}.${column}` : `${other}.${column} = ${key}`
  return { sql: sides, params: [], pins: [{ ...pin, other, parameters: [] }] }
}

/** One of the forms that look like a proof and are none. */
export function unpinned(draw: Draw, alias: string, column: PinColumn): Condition {
  const key = `${alias}.${column}`
  const value = own[column]
  const forms: readonly (readonly [string, ...string[]])[] = [
    [`${alias}.id = ?`, 'a'],
    [`(${key} = ? OR ${alias}.id = ?)`, value, 'a'],
    [`(${key} = ? OR 1 = 1)`, value],
    [`NOT (${key} <> ?)`, value],
    [`NOT (NOT (${key} = ?))`, value],
    [`? = ${key}`, value],
    [`${key} IN (?)`, value],
    [`${key} IN (?, ?)`, value, value],
    [`${key} = COALESCE(?, ${key})`, value],
    [`COALESCE(${key}, ?) = ?`, value, value],
    [`${key} = (?)`, value],
    [`(${key}) = ?`, value],
    [`${key} LIKE ?`, value],
    [`${key} >= ?`, value],
    [`${key} BETWEEN ? AND ?`, value, value],
    [`${key} <> ?`, 'x'],
    [`${key} IS NOT NULL`],
    [`${key} = ${alias}.id`],
    [`${key} = ''`],
    [`(${key} = ?) = 1`, value],
    [`(${key} = ?) IS NOT NULL`, value],
    [`${key} = ? + 0`, value],
  ]
  const [sql, ...params] = draw.pick(forms)
  return { sql, params, pins: [] }
}
