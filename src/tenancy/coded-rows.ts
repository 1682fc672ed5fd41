import type { EntitySchema, ObjectLiteral } from 'typeorm'
import { type CodeFamily, codedOf, codeFamilies } from '../base/coded-columns.ts'
import type { Database } from '../storage/database.ts'
import { keyPropertiesOf } from './pins.ts'
import { assertOutsidePlaces } from './place-check.ts'
import { type PlatformCapability, platformBindingOf } from './platform-capability.ts'
import { platformScope } from './platform-scope.ts'
import { type ForgedRow, forgedRowOf, type RowCodes } from './row-codes.ts'
import { type Condition, createRows, type Rows } from './rows.ts'
import { codesOfUnit } from './unit-codes.ts'

/** One of the databases, and every table it has. */
export interface CodedHome {
  readonly database: Database
  readonly tables: readonly EntitySchema[]
}

export interface CodedRowsParts {
  readonly homes: readonly CodedHome[]
  readonly capability: PlatformCapability<'row-codes'>
  readonly codes: RowCodes
  /** Rows in one transaction, which may live for five seconds. */
  readonly pageSize?: number
}

const defaultPageSize = 200

/**
 * Gives every row of the family its code, whatever code it has: for the one time when there was no key yet. Run again
 * after a crash it begins anew. Answers how many rows there are. `assertAlone` throws where another server may give codes
 * of another key by now: asked while the rows are locked, so that whoever begins after the answer comes behind these.
 */
export async function giveCodes(
  { homes, capability, codes, pageSize = defaultPageSize }: CodedRowsParts,
  family: CodeFamily,
  assertAlone: () => Promise<void> = async () => undefined,
): Promise<number> {
  const binding = platformBindingOf(capability)
  const nothing = () => undefined
  return eachTable(homes, [family], async (database, table, keys) => {
    let given = 0
    for (let last: ObjectLiteral | undefined, full = true; full; ) {
      const page = await database.write(binding, async (manager) => {
        const value = await pageAfter(platformScope(manager, [], codesOfUnit(codes)).rows(table), keys, last, pageSize)
        for (const row of value) {
          const idProperty = keys.at(-1) ?? ''
          const place = Object.fromEntries(keys.slice(0, -1).map((key) => [key, row[key]]))
          const rows = createRows(manager, table, { place, idProperty, touched: nothing, codes: codesOfUnit(codes) })
          await rows.update(String(row[idProperty]), { rowCode: codes.codeOf(table, row) })
        }
        await assertAlone()
        return { value, keep: true }
      })
      given += page.length
      last = page.at(-1)
      full = page.length === pageSize
    }
    return given
  })
}

/** Whether there is any row of the family: an empty database has nothing that could be forged. */
export async function hasCodedRows({ homes, capability, codes }: CodedRowsParts, family: CodeFamily): Promise<boolean> {
  const binding = platformBindingOf(capability)
  const found = await eachTable(homes, [family], (database, table, keys) =>
    database
      .read(binding, (manager) =>
        pageAfter(platformScope(manager, [], codesOfUnit(codes)).rows(table), keys, undefined, 1),
      )
      .then(({ length }) => length),
  )
  return found > 0
}

/** Looks at the code of every row that grants power, of every tenant and of the platform. Answers how many rows there are. */
export function checkCodes(
  { homes, capability, codes, pageSize = defaultPageSize }: CodedRowsParts,
  found: (row: ForgedRow) => void,
  pause: () => Promise<void>,
): Promise<number> {
  const binding = platformBindingOf(capability)
  return eachTable(homes, codeFamilies, async (database, table, keys) => {
    let checked = 0
    for (let last: ObjectLiteral | undefined, full = true; full; ) {
      await pause()
      const page = await database.read(binding, (manager) =>
        pageAfter(platformScope(manager, [], codesOfUnit(codes)).rows(table), keys, last, pageSize),
      )
      for (const row of page) if (!codes.isGenuine(table, row)) found(forgedRowOf(table, keys.at(-1) ?? '', row))
      checked += page.length
      last = page.at(-1)
      full = page.length === pageSize
    }
    return checked
  })
}

async function eachTable(
  homes: readonly CodedHome[],
  families: readonly CodeFamily[],
  work: (database: Database, table: EntitySchema, keys: readonly string[]) => Promise<number>,
): Promise<number> {
  assertOutsidePlaces()
  let count = 0
  for (const { database, tables } of homes) {
    for (const table of tables) {
      const coded = codedOf(table)
      if (coded === undefined || !families.includes(coded.family)) continue
      count += await work(database, table, keyPropertiesOf(table))
    }
  }
  return count
}

/** In the order of the primary key, so that the whole table is walked through once, by its index. */
function pageAfter(
  rows: Rows<ObjectLiteral>,
  keys: readonly string[],
  last: ObjectLiteral | undefined,
  limit: number,
): Promise<ObjectLiteral[]> {
  return rows.page({
    conditions: last === undefined ? [] : [beyond(keys, last)],
    orderBy: keys.map((property) => ({ property, descending: false })),
    limit,
  })
}

function beyond(keys: readonly string[], last: ObjectLiteral): Condition {
  const either = keys.map((key, at) => {
    const same = keys.slice(0, at).map((before) => `row.${before} = :last_${before}`)
    return `(${[...same, `row.${key} > :last_${key}`].join(' AND ')})`
  })
  return {
    // The first of them once more, by itself: SQLite finds its way into the index by that alone.
    sql: `row.${keys[0]} >= :last_${keys[0]} AND (${either.join(' OR ')})`,
    parameters: Object.fromEntries(keys.map((key) => [`last_${key}`, last[key]])),
  }
}
