import type { Clock } from '../../base/clock.ts'
import { digestOf } from '../../jwt/audit-checkpoint.ts'
import type { CheckpointBook } from '../../tenancy/checkpoint-book.ts'
import type { AuditCheckpointRow } from '../../tenancy/checkpoint-tables.ts'
import type { CheckpointEvents } from './checkpoint-events.ts'
import type { CheckpointSink } from './checkpoint-sink.ts'

export interface CheckpointShipperParts {
  readonly book: CheckpointBook
  readonly sink: CheckpointSink | undefined
  readonly clock: Clock
  readonly maker: string
  readonly events: Pick<CheckpointEvents, 'unshipped'>
}

/** What its maker has not shipped by then, another server ships. */
const abandonedMs = 15_000
const shippedAtOnce = 20

/** Brings checkpoints out of the database, in their order, until they are there. */
export class CheckpointShipper {
  readonly #parts: CheckpointShipperParts
  #failing = false

  constructor(parts: CheckpointShipperParts) {
    this.#parts = parts
  }

  /** Answers whether nothing is left. A failure is told once for each time the place is away. */
  async ship(): Promise<boolean> {
    const { book, sink, clock, maker, events } = this.#parts
    if (sink === undefined) return true
    const abandoned = new Date(clock.nowMs() - abandonedMs)
    for (;;) {
      const rows = await book.unshipped(maker, abandoned, shippedAtOnce)
      for (const row of rows) {
        try {
          await sink.ship(idOf(row), lineOf(row))
        } catch (error) {
          if (!this.#failing) events.unshipped(error)
          this.#failing = true
          return false
        }
        await book.markShipped(row.number, new Date(clock.nowMs()))
      }
      this.#failing = false
      if (rows.length < shippedAtOnce) return true
    }
  }
}

/** After a restore there may be another one of the same number. */
function idOf({ number, document }: AuditCheckpointRow): string {
  return `audit-checkpoint-${number}-${digestOf(document).slice(0, 16)}`
}

/** What is shipped, the same to every place: JSON on one line. */
function lineOf({ number, createTime, document }: AuditCheckpointRow): string {
  const data = { number, checkpoint: Buffer.from(document).toString('latin1') }
  return JSON.stringify({ type: 'audit.checkpoint', timestamp: createTime.toISOString(), data })
}
