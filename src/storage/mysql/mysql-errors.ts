/** Server error numbers that mean something to the kernel; everything else is a bug or a broken server. */
const DUPLICATE_ENTRY = 1062
const LOCK_WAIT_TIMEOUT = 1205
const DEADLOCK = 1213
const SERVER_SHUTDOWN = 1053
const QUERY_INTERRUPTED = 1317
const CONNECTION_KILLED = 1927
const TOO_MANY_CONNECTIONS = 1040
const TOO_MANY_USER_CONNECTIONS = 1203
const QUERY_TIMEOUT = 3024
const ROLLBACK_DURING_COMMIT = 3101
const SESSION_WAS_KILLED = 3169
const CLIENT_INTERACTION_TIMEOUT = 4031
/** Over all connections of the server; a new connection has none of its own yet. */
const TOO_MANY_PREPARED_STATEMENTS = 1461
const RECORD_FILE_FULL = 1114
const DISK_FULL = 1021
const NO_SPACE_WRITING = 3

const READ_ONLY = new Set([1290, 1792, 1836])
const ENDED = new Set([
  SERVER_SHUTDOWN,
  CONNECTION_KILLED,
  SESSION_WAS_KILLED,
  CLIENT_INTERACTION_TIMEOUT,
  TOO_MANY_PREPARED_STATEMENTS,
])
const REFUSED = new Set([TOO_MANY_CONNECTIONS, TOO_MANY_USER_CONNECTIONS])
const FULL = new Set([RECORD_FILE_FULL, DISK_FULL, NO_SPACE_WRITING])

/**
 * - `again`: the server rolled back, or waited too long for a lock; the same transaction may succeed (1213, 1205, 3101).
 * - `read-only`: this server takes no writes any more: it lost a fail-over.
 * - `lost`: the connection is gone or must go; what was under way is not known.
 */
export type MysqlFailure = 'duplicate' | 'again' | 'read-only' | 'lost' | 'slow' | 'full' | 'other'

/** Thrown by this room for what no driver reports: a deadline of ours, a connection that could not be had. */
export class ConnectionLost extends Error {
  override readonly name = 'ConnectionLost'
}

/** A server that cannot be worked with, or a session that would not be what the kernel relies on. The message continues "the server: ". */
export class UnfitServer extends Error {
  override readonly name = 'UnfitServer'
}

/** A server that takes no writes: the one that lost a fail-over, or a replica. */
export class ReadOnlyServer extends Error {
  override readonly name = 'ReadOnlyServer'
}

export function mysqlFailureOf(error: unknown): MysqlFailure {
  const original = originalOf(error)
  if (original instanceof ConnectionLost) return 'lost'
  if (original instanceof ReadOnlyServer) return 'read-only'
  if (!(original instanceof Error)) return 'other'
  const { errno, code, fatal } = original as Error & { errno?: unknown; code?: unknown; fatal?: unknown }
  if (typeof errno === 'number' && errno > 0) return failureOfNumber(errno)
  // Only the driver's own failures and those of the socket are fatal; both end the connection.
  return fatal === true || isSocketCode(code) ? 'lost' : 'other'
}

function failureOfNumber(errno: number): MysqlFailure {
  if (errno === DUPLICATE_ENTRY) return 'duplicate'
  if (errno === DEADLOCK || errno === LOCK_WAIT_TIMEOUT || errno === ROLLBACK_DURING_COMMIT) return 'again'
  if (errno === QUERY_TIMEOUT || errno === QUERY_INTERRUPTED) return 'slow'
  if (READ_ONLY.has(errno)) return 'read-only'
  if (ENDED.has(errno) || REFUSED.has(errno)) return 'lost'
  return FULL.has(errno) ? 'full' : 'other'
}

/** TypeORM's QueryFailedError keeps the driver's own error beside a copy of its fields; the original decides. */
function originalOf(error: unknown): unknown {
  return error instanceof Error && 'driverError' in error ? error.driverError : error
}

function isSocketCode(code: unknown): boolean {
  if (typeof code !== 'string') return false
  return code.startsWith('PROTOCOL_') || /^E(?:CONN|PIPE|TIMEDOUT|HOST|NET|NOTFOUND|AI_)/.test(code)
}
