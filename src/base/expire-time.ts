import { invalidField } from './errors.ts'

/** The last millisecond that RFC 3339 and `google.protobuf.Timestamp` can write. */
const lastMs = Date.UTC(9999, 11, 31, 23, 59, 59, 999)

/**
 * When something is to end; null: never. Cut to the millisecond that is stored, never rounded up: rounded, the last
 * moment a timestamp can hold becomes one that no answer can carry. A time that is past already would end it unborn.
 */
export function expireTimeFrom(
  field: string,
  timestamp: { readonly seconds: bigint; readonly nanos: number } | undefined,
  nowMs: number,
): Date | null {
  if (timestamp === undefined) return null
  const ms = Number(timestamp.seconds) * 1_000 + Math.floor(timestamp.nanos / 1_000_000)
  if (!(ms > nowMs)) throw invalidField(field, 'must be in the future')
  if (ms > lastMs) throw invalidField(field, 'must be before the year 10000')
  return new Date(ms)
}
