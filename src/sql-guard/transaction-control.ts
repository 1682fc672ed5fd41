import type { GuardDialect } from './guard-types.ts'

/**
 * The exact texts that open and close transactions, as TypeORM and the unit of work write them. They are compared
 * whole, never parsed: "COMMIT AND CHAIN", "SAVEPOINT x" or a trailing statement is not on the list.
 */
const EXACT_TEXTS: Readonly<Record<GuardDialect, ReadonlySet<string>>> = {
  sqlite: new Set([
    'BEGIN',
    'BEGIN IMMEDIATE',
    'BEGIN TRANSACTION',
    'BEGIN IMMEDIATE TRANSACTION',
    'COMMIT',
    'ROLLBACK',
  ]),
  mysql: new Set([
    'BEGIN',
    'START TRANSACTION',
    'START TRANSACTION READ ONLY',
    'START TRANSACTION WITH CONSISTENT SNAPSHOT',
    'START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY',
    'SET TRANSACTION ISOLATION LEVEL READ COMMITTED',
    'SET TRANSACTION ISOLATION LEVEL REPEATABLE READ',
    'SET TRANSACTION ISOLATION LEVEL SERIALIZABLE',
    'COMMIT',
    'ROLLBACK',
  ]),
}

const SAVEPOINT = /^(?:SAVEPOINT|RELEASE SAVEPOINT|ROLLBACK TO SAVEPOINT) typeorm_[1-9][0-9]?$/

const LONGEST_CONTROL_TEXT = 64

/** What may run on a connection no context owns: ending what a lost scope left open touches no row. */
export const UNBOUND_TEXT = 'ROLLBACK'

export function isTransactionControl(sql: string, dialect: GuardDialect): boolean {
  if (sql.length > LONGEST_CONTROL_TEXT) return false
  return EXACT_TEXTS[dialect].has(sql) || SAVEPOINT.test(sql)
}
