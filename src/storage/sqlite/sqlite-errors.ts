/** Result codes of SQLite; the low byte is the kind, the rest says which. */
const BUSY = 5
const LOCKED = 6
const FULL = 13
const CONSTRAINT_PRIMARY_KEY = 1555
const CONSTRAINT_UNIQUE = 2067
const CONSTRAINT_ROWID = 2579

const UNIQUE_CODES = new Set([CONSTRAINT_PRIMARY_KEY, CONSTRAINT_UNIQUE, CONSTRAINT_ROWID])

/** A row with that key exists already. */
export function isUniqueViolation(error: unknown): boolean {
  const code = resultCodeOf(error)
  return code !== undefined && UNIQUE_CODES.has(code)
}

/** Another connection holds the lock and kept it past the busy timeout. */
export function isBusy(error: unknown): boolean {
  const kind = kindOf(error)
  return kind === BUSY || kind === LOCKED
}

export function isDiskFull(error: unknown): boolean {
  return kindOf(error) === FULL
}

function kindOf(error: unknown): number | undefined {
  const code = resultCodeOf(error)
  return code === undefined ? undefined : code & 0xff
}

/** TypeORM's QueryFailedError keeps the driver's own error beside a copy of its fields; the original decides. */
function resultCodeOf(error: unknown): number | undefined {
  if (!(error instanceof Error)) return undefined
  const original: unknown = 'driverError' in error ? error.driverError : error
  if (!(original instanceof Error) || !('code' in original) || original.code !== 'ERR_SQLITE_ERROR') return undefined
  return 'errcode' in original && typeof original.errcode === 'number' ? original.errcode : undefined
}
