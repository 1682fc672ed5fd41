import type { ConnectionOptions } from 'mysql2'

/** Where a MySQL server is, and how to be let in. */
export interface MysqlServer {
  readonly host: string
  readonly port: number
  readonly user: string
  /** Secret. Empty: the account has none. */
  readonly password: string
  readonly database: string
  /** Undefined: in the clear. */
  readonly tls: MysqlTls | undefined
}

export interface MysqlTls {
  /** PEM; undefined: the authorities this machine trusts. */
  readonly ca: Buffer | undefined
  /** PEM certificate and private key to present; the key is secret. */
  readonly certificate: Buffer | undefined
  readonly privateKey: Buffer | undefined
}

/** How long a server may take to answer the TCP connect and the handshake. */
const connectTimeoutMs = 2_000
/** Per connection: a server keeps 16,382 prepared statements over all its connections by default. */
const preparedStatements = 120

export function connectionOptionsOf(server: MysqlServer): ConnectionOptions {
  const { host, port, user, password, database, tls } = server
  return {
    ...{ host, port, user, password, database },
    ...(tls === undefined ? {} : { ssl: sslFrom(tls) }),
    // The handshake has one byte for it; the session then sets the collation the columns have, whose number is larger.
    charset: 'UTF8MB4_BIN',
    timezone: 'Z',
    connectTimeout: connectTimeoutMs,
    supportBigNumbers: true,
    maxPreparedStatements: preparedStatements,
    multipleStatements: false,
    // LOAD DATA LOCAL lets a hostile server read files of this machine.
    flags: ['-LOCAL_FILES'],
    enableKeepAlive: true,
  }
}

function sslFrom({ ca, certificate, privateKey }: MysqlTls): NonNullable<ConnectionOptions['ssl']> {
  return {
    rejectUnauthorized: true,
    verifyIdentity: true,
    minVersion: 'TLSv1.2',
    ...(ca === undefined ? {} : { ca }),
    ...(certificate === undefined || privateKey === undefined ? {} : { cert: certificate, key: privateKey }),
  } as NonNullable<ConnectionOptions['ssl']>
}
