import type { MysqlConnectionLike } from './mysql-connection.ts'

/** By the connection behind its promise face, which is made anew for every lease. */
const verified = new WeakSet<object>()

/** In these a byte of a character can be a quote or a backslash: escaped values would end where they do not. */
const safeCharsets = new Set(['utf8mb4', 'utf8mb3', 'utf8', 'latin1', 'ascii', 'binary'])

const question =
  'SELECT @@SESSION.sql_mode AS modes, @@SESSION.character_set_client AS charset, @@SESSION.autocommit AS autocommit'

/**
 * Once for each connection: what the guard proves of a text has to be what the server reads. mysql2 writes values into
 * texts with backslashes, and a server that takes a backslash for a letter would read the end of a value as SQL. And what
 * one borrower left uncommitted without having begun it would be there for the next.
 */
export async function verifyMysqlSession(connection: MysqlConnectionLike): Promise<void> {
  const behind = behindOf(connection)
  if (verified.has(behind)) return
  const [rows] = await connection.query({ sql: question })
  const [row] = rows as readonly Readonly<Record<string, unknown>>[]
  const modes = String(row?.modes).split(',')
  const charset = String(row?.charset)
  if (modes.includes('NO_BACKSLASH_ESCAPES') || !safeCharsets.has(charset)) {
    throw new Error(
      `the guard cannot vouch for sessions with sql_mode ${modes.join(',')} and character set ${charset}: leave NO_BACKSLASH_ESCAPES out and use utf8mb4`,
    )
  }
  if (Number(row?.autocommit) !== 1) {
    throw new Error('the guard cannot vouch for sessions without autocommit: leave it on, and begin transactions')
  }
  verified.add(behind)
}

function behindOf(connection: object): object {
  const behind: unknown = 'connection' in connection ? connection.connection : undefined
  return typeof behind === 'object' && behind !== null ? behind : connection
}
