import { type MysqlUrl, mysqlForm, parseMysqlUrl } from './mysql-url.ts'
import type { Accepted } from './setting-types.ts'

/** Where rows live. */
export type DatabaseConfig = SqliteConfig | MysqlConfig

export interface SqliteConfig {
  readonly engine: 'sqlite'
  readonly file: string
}

export interface MysqlConfig {
  readonly engine: 'mysql'
  readonly host: string
  readonly port: number
  readonly user: string
  /** Secret. Empty: the account has none. */
  readonly password: string
  readonly database: string
  /** Undefined: in the clear. */
  readonly tls: MysqlTlsConfig | undefined
}

export interface MysqlTlsConfig {
  /** PEM, as read at start. Undefined: the authorities this machine trusts. */
  readonly ca: Buffer | undefined
  /** PEM, as read at start: what the server is shown. */
  readonly certificate: Buffer | undefined
  /** PEM, as read at start. Secret. */
  readonly privateKey: Buffer | undefined
}

/** Where keys live. */
export type KeyringConfig = LocalKeyringConfig | VaultKeyringConfig

export interface LocalKeyringConfig {
  readonly kind: 'local'
  readonly folder: string
}

/** What TENURE_KEYRING says of a keyring in Vault or OpenBao. */
export interface VaultMount {
  readonly kind: 'vault'
  /** Path the transit engine is mounted at. */
  readonly mount: string
}

export interface VaultKeyringConfig extends VaultMount {
  /** http:// or https://, host and port. */
  readonly address: string
  readonly namespace: string | undefined
  /** PEM, as read at start. Undefined: the authorities this machine trusts. */
  readonly ca: Buffer | undefined
  readonly credential: VaultCredentialConfig
}

/** Secret. */
export type VaultCredentialConfig =
  | { readonly kind: 'token'; readonly token: string }
  | { readonly kind: 'approle'; readonly roleId: string; readonly secretId: string }

/** Sentences never repeat a part of the text: it may hold a password. */
export function parseDatabaseUrl(text: string): Accepted<SqliteConfig | MysqlUrl> {
  if (text.startsWith('mysql:')) return parseMysqlUrl(text)
  if (text.startsWith('mysqlx:')) {
    return { problem: 'names the X protocol of MySQL, which Tenure does not speak; use mysql:// and the classic port' }
  }
  if (text.startsWith('mariadb:')) {
    return {
      problem: 'names a MariaDB, which differs from MySQL in locks, JSON and collations; use MySQL 8.4 or newer',
    }
  }
  const file = withoutScheme('sqlite:', text)
  if (file === undefined)
    return { problem: `must be sqlite:<file>, for example sqlite:.tenure/tenure.db, or ${mysqlForm}` }
  // SQLite would read these as a database in memory or as a URI with options of its own.
  if (file === ':memory:' || file.startsWith('file:') || file.startsWith('//')) {
    return { problem: 'must name a plain file after "sqlite:", for example sqlite:.tenure/tenure.db' }
  }
  return { value: { engine: 'sqlite', file } }
}

const mountPattern = /^[a-z0-9-]+(?:\/[a-z0-9-]+)*$/

export function parseKeyringUrl(text: string): Accepted<LocalKeyringConfig | VaultMount> {
  const mount = withoutScheme('vault:', text)
  if (mount !== undefined && mountPattern.test(mount)) return { value: { kind: 'vault', mount } }
  if (text.startsWith('vault:')) {
    return {
      problem:
        'must name after "vault:" the path the transit engine is mounted at, of a-z, 0-9, - and /, for example vault:transit; the rest is said by VAULT_ADDR and its like',
    }
  }
  const folder = withoutScheme('local:', text)
  if (folder === undefined || folder.startsWith('//')) {
    return { problem: 'must be local:<folder>, for example local:.tenure/keyring, or vault:<mount>' }
  }
  return { value: { kind: 'local', folder } }
}

function withoutScheme(scheme: string, text: string): string | undefined {
  return text.startsWith(scheme) && text.length > scheme.length ? text.slice(scheme.length) : undefined
}
