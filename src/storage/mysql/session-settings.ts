import { ReadOnlyServer, UnfitServer } from './mysql-errors.ts'
import type { ServerFacts } from './mysql-session.ts'
import { versionProblem } from './mysql-version.ts'

/** What a session is for: `read` sessions cannot write. Neither commits by itself: the first statement begins a transaction, without a round trip of its own. */
export type SessionKind = 'read' | 'write'

const sqlMode =
  'ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES,STRICT_ALL_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION'

/** Settings of every session, by name of the variable, as the server reads them back. */
const common = {
  sql_mode: sqlMode,
  time_zone: '+00:00',
  character_set_client: 'utf8mb4',
  character_set_connection: 'utf8mb4',
  character_set_results: 'utf8mb4',
  collation_connection: 'utf8mb4_0900_bin',
  foreign_key_checks: 1,
  unique_checks: 1,
  sql_auto_is_null: 0,
  sql_safe_updates: 0,
  // A server-wide limit would cut every answer short without a word.
  sql_select_limit: '18446744073709551615',
  lock_wait_timeout: 2,
  autocommit: 0,
} as const

const byKind = {
  read: {
    transaction_isolation: 'REPEATABLE-READ',
    transaction_read_only: 1,
    wait_timeout: 120,
    // Milliseconds; the server ends a SELECT by itself that nobody waits for any more.
    max_execution_time: 8_000,
  },
  write: {
    // Under REPEATABLE READ whatever is read before the lock is had goes stale.
    transaction_isolation: 'READ-COMMITTED',
    transaction_read_only: 0,
    // A dead client's transaction must not hold its head for longer.
    wait_timeout: 30,
    innodb_lock_wait_timeout: 2,
    max_execution_time: 4_000,
  },
} as const

function settingsOf(kind: SessionKind): Readonly<Record<string, string | number>> {
  return { ...common, ...byKind[kind] }
}

export function settingsStatement(kind: SessionKind): string {
  const assignments = Object.entries(settingsOf(kind)).map(
    ([name, value]) => `SESSION ${name} = ${typeof value === 'number' || /^\d+$/.test(value) ? value : `'${value}'`}`,
  )
  return `SET ${assignments.join(', ')}`
}

const names = [...new Set([...Object.keys(settingsOf('read')), ...Object.keys(settingsOf('write'))])]

/** Reads everything back that was set, and what the server must be for durable writes. */
export const verificationStatement = `SELECT ${[
  ...names.map((name) => `@@SESSION.${name} AS ${name}`),
  'VERSION() AS version',
  '@@version_comment AS comment',
  '@@server_uuid AS server_uuid',
  '@@SESSION.auto_increment_increment AS id_step',
  '@@GLOBAL.read_only AS read_only',
  '@@GLOBAL.super_read_only AS super_read_only',
  '@@GLOBAL.innodb_flush_log_at_trx_commit AS flush_log',
  'UNIX_TIMESTAMP() AS server_time',
].join(', ')}`

/** Throws unless the server took every setting over; answers what it says of itself. */
export function verifySettings(kind: SessionKind, row: Record<string, unknown>, uptimeSeconds: number): ServerFacts {
  const version = String(row.version)
  const problem = versionProblem(version, String(row.comment))
  if (problem !== undefined) throw new UnfitServer(`it is ${problem}`)
  for (const [name, expected] of Object.entries(settingsOf(kind))) {
    const actual = String(row[name])
    const same = name === 'sql_mode' ? sameWords(actual, String(expected)) : actual === String(expected)
    if (!same) throw new UnfitServer(`its session variable ${name} is ${actual} and must be ${expected}`)
  }
  if (kind === 'write') verifyWritable(row)
  return { version, serverId: String(row.server_uuid), startedAtSeconds: Number(row.server_time) - uptimeSeconds }
}

function verifyWritable(row: Record<string, unknown>): void {
  if (Number(row.read_only) !== 0 || Number(row.super_read_only) !== 0) {
    throw new ReadOnlyServer('it is read-only, so it is not the primary')
  }
  // Ids that are never given would each be waited for as if its writer were slow.
  if (Number(row.id_step) !== 1) throw new UnfitServer('its auto_increment_increment is not 1')
  if (Number(row.flush_log) !== 1) {
    throw new UnfitServer('its innodb_flush_log_at_trx_commit is not 1, so a crash would lose what was acknowledged')
  }
}

function sameWords(a: string, b: string): boolean {
  const sorted = (text: string) => text.split(',').sort().join(',')
  return sorted(a) === sorted(b)
}
