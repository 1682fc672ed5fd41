import type { Accepted } from './setting-types.ts'

/** Where rows live. One engine is offered so far. */
export interface SqliteConfig {
  readonly engine: 'sqlite'
  readonly file: string
}

/** Where keys live. One kind is offered so far. */
export interface LocalKeyringConfig {
  readonly kind: 'local'
  readonly folder: string
}

export function parseDatabaseUrl(text: string): Accepted<SqliteConfig> {
  if (text.startsWith('mysql:')) {
    return { problem: 'names a MySQL database, which this version does not offer; use sqlite:<file>' }
  }
  const file = withoutScheme('sqlite:', text)
  if (file === undefined) return { problem: 'must be sqlite:<file>, for example sqlite:.tenure/tenure.db' }
  // SQLite would read these as a database in memory or as a URI with options of its own.
  if (file === ':memory:' || file.startsWith('file:') || file.startsWith('//')) {
    return { problem: 'must name a plain file after "sqlite:", for example sqlite:.tenure/tenure.db' }
  }
  return { value: { engine: 'sqlite', file } }
}

export function parseKeyringUrl(text: string): Accepted<LocalKeyringConfig> {
  if (text.startsWith('vault:')) {
    return { problem: 'names a Vault, which this version does not offer; use local:<folder>' }
  }
  const folder = withoutScheme('local:', text)
  if (folder === undefined || folder.startsWith('//')) {
    return { problem: 'must be local:<folder>, for example local:.tenure/keyring' }
  }
  return { value: { kind: 'local', folder } }
}

function withoutScheme(scheme: string, text: string): string | undefined {
  return text.startsWith(scheme) && text.length > scheme.length ? text.slice(scheme.length) : undefined
}
