import type { EntityManager, EntitySchema, ObjectLiteral } from 'typeorm'
import { nilUuid } from '../base/ids.ts'
import type { Database } from '../storage/database.ts'
import type { ChangeLog } from './ledger.ts'
import { keyPropertiesOf } from './pins.ts'
import { assertOutsidePlaces } from './place-check.ts'
import { type PlatformCapability, platformBindingOf } from './platform-capability.ts'
import { createRowCodes, type RowCodes } from './row-codes.ts'
import { createRows, type Rows } from './rows.ts'
import { codesOfReader, codesOfUnit, type UnitCodes } from './unit-codes.ts'

export interface PlatformReadScope {
  /** Of every tenant, or of `place` alone. */
  rows<Row extends ObjectLiteral>(table: EntitySchema<Row>, place?: Partial<Row>): Rows<Row>
}

/** Never opened: by who was given no codes what grants power is neither written nor decided by. */
const noCodes = codesOfReader(createRowCodes(() => undefined))

/** Reads across the tenants of a cell: what the capability's purpose names, and nothing else. */
export function readCell<T>(
  cell: Database,
  capability: PlatformCapability,
  work: (scope: PlatformReadScope) => Promise<T>,
  codes?: RowCodes,
): Promise<T> {
  assertOutsidePlaces()
  const ofReader = codes === undefined ? noCodes : codesOfReader(codes)
  return cell.read(platformBindingOf(capability), (manager) => work(platformScope(manager, [], ofReader)))
}

/** Writes across the tenants of a cell what is no event of its own. One transaction, no journal row. */
export function writeCell<T>(
  cell: Database,
  capability: PlatformCapability,
  work: (scope: PlatformReadScope) => Promise<T>,
  codes: RowCodes,
): Promise<T> {
  assertOutsidePlaces()
  return cell.write(platformBindingOf(capability), async (manager) => ({
    value: await work(platformScope(manager, [], codesOfUnit(codes))),
    keep: true,
  }))
}

export function platformScope(
  manager: EntityManager,
  changes: ChangeLog,
  codes: UnitCodes = noCodes,
): PlatformReadScope {
  return {
    rows<Row extends ObjectLiteral>(table: EntitySchema<Row>, place: Partial<Row> = {}): Rows<Row> {
      const key = keyPropertiesOf(table).at(-1)
      if (key === undefined) throw new Error(`${table.options.name} has no primary key`)
      return createRows(manager, table, {
        place,
        idProperty: key,
        touched: (id) => changes.push([table.options.tableName ?? table.options.name, nilUuid, id]),
        codes,
      })
    },
  }
}
