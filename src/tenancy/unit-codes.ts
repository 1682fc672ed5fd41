import type { EntitySchema, ObjectLiteral } from 'typeorm'
import { forgedRowOf, type RowCodes } from './row-codes.ts'

/** Codes as one scope needs them. */
export interface UnitCodes {
  readonly codes: RowCodes
  /** Rows that the unit has read, by table and id: what changes one of them need not read it again. Undefined: nothing is written. */
  readonly seen: Map<string, ObjectLiteral> | undefined
}

export function codesOfUnit(codes: RowCodes): UnitCodes {
  return { codes, seen: new Map() }
}

export function codesOfReader(codes: RowCodes): UnitCodes {
  return { codes, seen: undefined }
}

/** What the rows of one table do about codes, so that no store has to. */
export interface TableCodes<Row extends ObjectLiteral> {
  /** The row with its code, as it is to be inserted. */
  withCode(row: Row): Row
  /** To be told of every row that was read whole, so that changing it does not read it again. */
  read<Read extends readonly Row[]>(rows: Read): Read
  /** The changes with the code of what the row is after them. Throws for a row that is forged: it would be forged no more. */
  changesWithCode(id: string, changes: Partial<Row>, find: () => Promise<Row | undefined>): Promise<Partial<Row>>
  /** Whether the code of a row that was read whole is right; one that is not is told of. */
  isGenuine(row: Row): boolean
}

export function tableCodes<Row extends ObjectLiteral>(
  table: EntitySchema<Row>,
  idProperty: string,
  { codes, seen }: UnitCodes,
): TableCodes<Row> {
  const any = table as EntitySchema
  const keyOf = (id: string) => `${table.options.name} ${id}`
  const isGenuine = (row: Row): boolean => {
    const is = codes.isGenuine(any, row)
    if (!is) codes.forged(forgedRowOf(any, idProperty, row))
    return is
  }
  return {
    withCode(row) {
      const rowCode = codes.codeOf(any, row)
      return rowCode === undefined ? row : { ...row, rowCode }
    },
    read(rows) {
      for (const row of rows) seen?.set(keyOf(String(row[idProperty])), row)
      return rows
    },
    async changesWithCode(id, changes, find) {
      if (!codes.covers(any, Object.keys(changes))) return changes
      const before = (seen?.get(keyOf(id)) as Row | undefined) ?? (await find())
      if (before === undefined) return changes
      if (!isGenuine(before))
        throw new Error(`a row of ${table.options.name} is not as it was written; it is not changed`)
      const after = { ...before, ...changes }
      const rowCode = codes.codeOf(any, after)
      seen?.set(keyOf(id), { ...after, rowCode })
      return { ...changes, rowCode }
    },
    isGenuine,
  }
}
