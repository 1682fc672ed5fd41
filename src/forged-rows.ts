import { LRUCache } from 'lru-cache'
import type { Runtime } from './server.ts'
import type { ForgedRow } from './tenancy/row-codes.ts'

export type ForgedRowListener = (row: ForgedRow) => void

/** Tells of rows that grant power and were not written by Tenure: the same row now and then, and not many at once. */
export interface ForgedRows {
  forged(row: ForgedRow): void
  /** Hears of every row that is told of, those from before included: the platform is read before there is anybody to wake. */
  onForgedRow(listener: ForgedRowListener): void
}

/** Rows that are remembered as told of. */
const maxRemembered = 1_000
const repeatMs = 10 * 60_000
/** More in that time is one incident. */
const maxTold = 20
const toldMs = 60_000

export function createForgedRows({ log, metrics, clock }: Pick<Runtime, 'log' | 'metrics' | 'clock'>): ForgedRows {
  const told = new LRUCache<string, { readonly row: ForgedRow; readonly atMs: number }>({ max: maxRemembered })
  const listeners: ForgedRowListener[] = []
  let recent: number[] = []
  return {
    forged(row) {
      metrics.rowForged(row.table)
      const nowMs = clock.monotonicMs()
      const key = `${row.table} ${row.tenantId} ${row.id}`
      const before = told.get(key)
      if (before !== undefined && nowMs - before.atMs < repeatMs) return
      recent = recent.filter((atMs) => nowMs - atMs < toldMs)
      if (recent.length > maxTold) return
      recent.push(nowMs)
      if (recent.length > maxTold) {
        log.error({}, 'more rows that grant power were not written by this installation; the metric counts them')
        return
      }
      told.set(key, { row, atMs: nowMs })
      const { table, tenantId, id } = row
      log.error(
        { table, tenantId, id },
        'a row that grants power was not written by this installation; it grants nothing',
      )
      for (const listener of listeners) listener(row)
    },
    onForgedRow(listener) {
      for (const { row } of told.values()) listener(row)
      listeners.push(listener)
    },
  }
}
