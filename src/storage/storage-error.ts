import { TenureError } from '../base/errors.ts'
import { guardRefusalIn } from '../sql-guard/guard-refusal.ts'
import { type MysqlFailure, mysqlFailureOf } from './mysql/mysql-errors.ts'
import { isBusy, isDiskFull, isUniqueViolation } from './sqlite/sqlite-errors.ts'

/**
 * What a caller may learn of a failure below: the kernel's own errors pass, conditions of the database get their reason,
 * everything else stays what it is and becomes INTERNAL further up. Text of a driver never reaches a message.
 */
export function storageErrorFrom(error: unknown): unknown {
  if (error instanceof TenureError) return error
  const failure = mysqlFailureOf(error)
  if (isUniqueViolation(error) || failure === 'duplicate') {
    return new TenureError(
      'ALREADY_EXISTS',
      'There is one of that name or identity already. Choose another, or change that one.',
      {
        cause: withoutValues(error),
      },
    )
  }
  if (isBusy(error) || unavailable.has(failure)) {
    return new TenureError('DATABASE_UNAVAILABLE', 'The database cannot answer now. Repeat the call in a moment.', {
      retryAfterMs: 500,
      cause: withoutValues(error),
    })
  }
  if (isDiskFull(error) || failure === 'full') {
    return new TenureError(
      'STORAGE_FULL',
      'The database cannot take more. Make room on its disk, then repeat the call.',
      {
        retryAfterMs: 30_000,
        cause: withoutValues(error),
      },
    )
  }
  return withoutValues(error)
}

const unavailable: ReadonlySet<MysqlFailure> = new Set(['again', 'read-only', 'lost', 'slow'])

/** TypeORM's wrapper carries every bound value, and whoever logs it would log them: what is kept is what the engine said. */
function withoutValues(error: unknown): unknown {
  const refusal = guardRefusalIn(error)
  if (refusal !== undefined) return refusal
  if (!(error instanceof Error) || !('driverError' in error)) return error
  const failure = error.driverError instanceof Error ? error.driverError.message : 'unknown'
  return new Error(`the database failed: ${failure}`)
}
