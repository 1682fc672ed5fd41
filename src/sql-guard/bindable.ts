import { unproven } from './guard-refusal.ts'
import type { Bindable } from './guard-types.ts'

const INT64_MIN = -(2n ** 63n)
const INT64_MAX = 2n ** 63n - 1n

/**
 * One parameter as the driver may see it. Objects and arrays never pass: MySQL drivers expand arrays into lists and
 * write an object's toSqlString() into the text, and both returned another tenant's rows through an honest statement.
 */
export function bindableFrom(value: unknown): Bindable {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return value
    case 'number':
      return Number.isFinite(value) ? value : unproven('parameter-type')
    case 'bigint':
      return value >= INT64_MIN && value <= INT64_MAX ? value : unproven('parameter-type')
    case 'object':
      return value === null ? null : bindableFromObject(value)
    default:
      return unproven('parameter-type')
  }
}

function bindableFromObject(value: object): Bindable {
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype === Buffer.prototype || prototype === Uint8Array.prototype) {
    return 'toSqlString' in value ? unproven('parameter-type') : (value as Uint8Array)
  }
  if (prototype === Date.prototype) return textFromDate(value as Date)
  return unproven('parameter-type')
}

/** UTC with milliseconds, the one stored form of a time on every engine. Prototype methods: a Date may carry its own. */
function textFromDate(date: Date): string {
  if (Number.isNaN(Date.prototype.getTime.call(date))) return unproven('parameter-type')
  const iso: string = Date.prototype.toISOString.call(date)
  // Years outside 0000-9999 are written with a sign and no engine stores them.
  if (iso.length !== 24) return unproven('parameter-type')
  return `${iso.slice(0, 10)} ${iso.slice(11, 23)}`
}
