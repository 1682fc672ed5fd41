import type { ObjectLiteral } from 'typeorm'
import type { Condition, Rows } from './rows.ts'

/** Of one transaction: what is left over goes with the next. */
const sweepBatch = 100

export interface Sweep<Row> {
  /** What is kept no longer. */
  readonly old: Condition
  readonly idProperty: keyof Row & string
  /** Properties too large to be read for nothing. */
  readonly without?: readonly (keyof Row & string)[]
}

/** Deletes what is kept no longer, a bounded number at a time. Answers whether there may be more. */
export async function sweepRows<Row extends ObjectLiteral>(
  rows: Rows<Row>,
  { old, idProperty, without }: Sweep<Row>,
): Promise<boolean> {
  const found = await rows.page({
    conditions: [old],
    orderBy: [{ property: idProperty, descending: false }],
    limit: sweepBatch,
    ...(without === undefined ? {} : { without }),
  })
  for (const row of found) await rows.delete(String(row[idProperty]))
  return found.length === sweepBatch
}
