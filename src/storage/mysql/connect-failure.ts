import { StartError } from '../../base/start-error.ts'
import { ConnectionLost, ReadOnlyServer, UnfitServer } from './mysql-errors.ts'
import type { MysqlServer } from './mysql-server.ts'

/** What a sentence may say of a server: never its user or password, never what the driver says. */
interface Place {
  readonly host: string
  /** host:port. */
  readonly at: string
  readonly database: string
}

type Sentence = (place: Place) => string

/**
 * The sentence an operator reads where a database cannot be opened. What is no failure of a connection or a server comes
 * back as it is: a bug must not look like a mistake of the operator's.
 */
export function startErrorFrom(error: unknown, server: MysqlServer): unknown {
  if (!(error instanceof Error) || error instanceof StartError) return error
  const place = placeOf(server)
  if (error instanceof UnfitServer) {
    return new StartError(`The MySQL server at ${place.at} cannot be used: ${error.message}. Mend it, or name another.`)
  }
  if (error instanceof ConnectionLost) return new StartError(silent(place))
  if (error instanceof ReadOnlyServer) return new StartError(readOnly(place))
  const sentence = sentenceOf(error)
  return sentence === undefined ? error : new StartError(sentence(place))
}

export function placeOf({ host, port, database }: MysqlServer): Place {
  return { host, at: host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`, database }
}

const privileges = 'SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, INDEX'

const refused: Sentence = ({ at, database }) =>
  `Nothing listens at ${at}, where the MySQL database ${database} should be. Start the server, or correct the database URL.`
const unknownHost: Sentence = ({ host, at, database }) =>
  `The name ${host} cannot be resolved, so the MySQL database ${database} at ${at} cannot be reached. Correct the database URL, or mend the name service.`
const unreachable: Sentence = ({ at, database }) =>
  `There is no way to ${at}, where the MySQL database ${database} should be. Mend the network, or correct the database URL.`
const silent: Sentence = ({ at, database }) =>
  `The MySQL server at ${at} with the database ${database} did not answer in time. See whether it runs and can be reached.`
const lost: Sentence = ({ at, database }) =>
  `The connection to the MySQL database ${database} at ${at} was lost. See whether the server runs, then try again.`
const wrongPassword: Sentence = ({ at, database }) =>
  `The MySQL server at ${at} refused the user or the password for the database ${database}. Correct them in the database URL; an account that demands TLS or a client certificate is refused like this too.`
const noGrant: Sentence = ({ at, database }) =>
  `The MySQL server at ${at} does not let this user into the database ${database}, or there is no such database. Create it if it is not there, and grant the user ${privileges} ON ${database}.*.`
const missingGrant: Sentence = ({ at, database }) =>
  `The user may not do in the MySQL database ${database} at ${at} what Tenure must. Grant it ${privileges} ON ${database}.*.`
const noDatabase: Sentence = ({ at, database }) =>
  `There is no database ${database} at ${at}. Create it (CREATE DATABASE \`${database}\`), or correct the database URL.`
const locked: Sentence = ({ at, database }) =>
  `The user for the MySQL database ${database} at ${at} is locked, or its password has expired. Unlock it, or give it a new password.`
const hostRefused: Sentence = ({ at, database }) =>
  `The MySQL server at ${at} with the database ${database} takes no connections from this machine. Allow it there; one that was blocked for its errors is freed by TRUNCATE TABLE performance_schema.host_cache.`
const unknownLogin: Sentence = ({ at, database }) =>
  `The MySQL server at ${at} asks for a way of logging in to the database ${database} that Tenure does not offer. Make the user one of caching_sha2_password.`
const noTls: Sentence = ({ at, database }) =>
  `The MySQL server at ${at} with the database ${database} offers no TLS. Give it a certificate; tls=off in the database URL sends everything in the clear.`
const tlsFailed: Sentence = ({ host, at, database }) =>
  `No TLS with ${at}, where the MySQL database ${database} is: its certificate is not one of a trusted authority for the name ${host}, or it does not accept ours. Name the authority in tlsCa and the server as its certificate does.`
const tlsDemanded: Sentence = ({ at, database }) =>
  `The MySQL server at ${at} lets nobody into the database ${database} without TLS. Put tls=required into the database URL.`
const full: Sentence = ({ at, database }) =>
  `The MySQL server at ${at} with the database ${database} takes no more connections. Raise its max_connections, or stop what holds them.`
const readOnly: Sentence = ({ at, database }) =>
  `The MySQL server at ${at} is read-only, so the database ${database} cannot be changed there. Name the primary.`
const busy: Sentence = ({ at, database }) =>
  `A table of the MySQL database ${database} at ${at} is locked by somebody else. Let them finish, then try again.`

/** By error number of the server, or by the code of the driver or the system. */
const sentences: ReadonlyMap<number | string, Sentence> = new Map<number | string, Sentence>([
  ['ECONNREFUSED', refused],
  ['ENOTFOUND', unknownHost],
  ['EAI_AGAIN', unknownHost],
  ['EHOSTUNREACH', unreachable],
  ['ENETUNREACH', unreachable],
  ['ETIMEDOUT', silent],
  ['PROTOCOL_SEQUENCE_TIMEOUT', silent],
  ['ECONNRESET', lost],
  ['EPIPE', lost],
  ['PROTOCOL_CONNECTION_LOST', lost],
  ['HANDSHAKE_NO_SSL_SUPPORT', noTls],
  ['HANDSHAKE_SSL_ERROR', tlsFailed],
  ['AUTH_SWITCH_PLUGIN_ERROR', unknownLogin],
  ['MYSQL_CLEAR_PASSWORD_NOT_ENABLED', unknownLogin],
  [1040, full],
  [1044, noGrant],
  [1045, wrongPassword],
  [1049, noDatabase],
  [1053, lost],
  [1129, hostRefused],
  [1130, hostRefused],
  [1142, missingGrant],
  [1203, full],
  [1205, busy],
  [1227, missingGrant],
  [1251, unknownLogin],
  [1290, readOnly],
  [1317, lost],
  [1820, locked],
  [1836, readOnly],
  [1862, locked],
  [3118, locked],
  [3159, tlsDemanded],
  [3169, lost],
  [4031, lost],
])

function sentenceOf(error: Error): Sentence | undefined {
  const { errno, code, fatal } = error as Error & { errno?: unknown; code?: unknown; fatal?: unknown }
  const known = sentences.get(errno as number) ?? sentences.get(code as string)
  if (known !== undefined) return known
  // Whoever uses a connection that has ended gets an error that says no more than that it is fatal.
  if (fatal === true && code === undefined) return lost
  if (typeof code === 'string' && /^ERR_(?:SSL|TLS)_/.test(code)) return tlsFailed
  const name = typeof errno === 'number' && errno > 0 ? `MySQL error ${errno}` : undefined
  if (name === undefined && fatal !== true) return undefined
  return ({ at, database }) =>
    `The MySQL database ${database} at ${at} failed (${name ?? String(code)}). See the log of that server.`
}
