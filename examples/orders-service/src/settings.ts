export interface Settings {
  readonly host: string
  readonly port: number
  /** Holds a password: never in a message, never in a log. */
  readonly databaseUrl: URL
  readonly issuer: string
  readonly jwksUrl: string
  readonly audience: string
}

const names = ['ORDERS_ADDRESS', 'ORDERS_DATABASE_URL', 'TENURE_ISSUER', 'TENURE_JWKS_URL', 'ORDERS_AUDIENCE'] as const

/** What an operator has to mend before the service can start. */
export class SettingsError extends Error {
  override readonly name = 'SettingsError'
}

/** There are no defaults: a service that guessed its issuer or audience would accept the tokens of somebody else. */
export function readSettings(env: Readonly<Record<string, string | undefined>>): Settings {
  const missing = names.filter((name) => (env[name] ?? '').trim() === '')
  if (missing.length > 0) throw new SettingsError(`Set ${missing.join(', ')}. README.md says what they mean.`)
  const text = (name: (typeof names)[number]): string => (env[name] ?? '').trim()
  return {
    ...parseAddress(text('ORDERS_ADDRESS')),
    databaseUrl: parseDatabaseUrl(text('ORDERS_DATABASE_URL')),
    issuer: text('TENURE_ISSUER'),
    jwksUrl: text('TENURE_JWKS_URL'),
    audience: text('ORDERS_AUDIENCE'),
  }
}

function parseAddress(text: string): Pick<Settings, 'host' | 'port'> {
  const [, v6, name, digits = ''] = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text) ?? []
  const host = v6 ?? name
  if (host === undefined || Number(digits) > 65_535) throw new SettingsError('ORDERS_ADDRESS has to be <host>:<port>.')
  return { host, port: Number(digits) }
}

function parseDatabaseUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url?.protocol !== 'mysql:' || url.username === '' || !/^\/[A-Za-z0-9_-]{1,64}$/.test(url.pathname)) {
    throw new SettingsError('ORDERS_DATABASE_URL has to be mysql://<user>:<password>@<host>:<port>/<database>.')
  }
  return url
}
