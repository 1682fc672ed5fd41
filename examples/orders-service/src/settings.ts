export interface Settings {
  readonly host: string
  readonly port: number
  /** Holds a password: never in a message, never in a log. */
  readonly databaseUrl: URL
  readonly issuer: string
  readonly jwksUrl: string
  readonly audience: string
  readonly guardMode: 'enforce' | 'report'
  /** Serves `GET /orders/all`, whose query names no tenant: to see what the guard does about it. */
  readonly unscopedReport: boolean
  /** Undefined: what the guard sees is in the log alone. */
  readonly reports: KeyAt | undefined
  /** Undefined: no stock service is asked. */
  readonly stock: (KeyAt & { readonly stockUrl: string }) | undefined
}

/** What this service may ask of Tenure. Two keys, because whoever may call in the name of others may do very much. */
export interface KeyAt {
  readonly url: string
  /** Secret. */
  readonly apiKey: string
}

type Environment = Readonly<Record<string, string | undefined>>

const required = [
  'ORDERS_ADDRESS',
  'ORDERS_DATABASE_URL',
  'ORDERS_ISSUER',
  'ORDERS_JWKS_URL',
  'ORDERS_AUDIENCE',
] as const

/** What an operator has to mend before the service can start. */
export class SettingsError extends Error {
  override readonly name = 'SettingsError'
}

/** What says whom to believe has no defaults: a service that guessed its issuer or audience would accept the tokens of somebody else. */
export function readSettings(env: Environment): Settings {
  const missing = required.filter((name) => textOf(env, name) === undefined)
  if (missing.length > 0) throw new SettingsError(`Set ${missing.join(', ')}. README.md says what they mean.`)
  const text = (name: (typeof required)[number]): string => textOf(env, name) ?? ''
  return {
    ...parseAddress(text('ORDERS_ADDRESS')),
    databaseUrl: parseDatabaseUrl(text('ORDERS_DATABASE_URL')),
    issuer: text('ORDERS_ISSUER'),
    jwksUrl: text('ORDERS_JWKS_URL'),
    audience: text('ORDERS_AUDIENCE'),
    guardMode: oneOf(env, 'ORDERS_GUARD_MODE', ['enforce', 'report']),
    unscopedReport: oneOf(env, 'ORDERS_UNSCOPED_REPORT', ['0', '1']) === '1',
    ...controlPlaneFrom(env),
  }
}

function controlPlaneFrom(env: Environment): Pick<Settings, 'reports' | 'stock'> {
  const url = textOf(env, 'ORDERS_TENURE_URL')
  const reportKey = textOf(env, 'ORDERS_REPORT_KEY')
  const callKey = textOf(env, 'ORDERS_CALL_KEY')
  const stockUrl = textOf(env, 'ORDERS_STOCK_URL')
  if (url === undefined && (reportKey ?? callKey) !== undefined)
    throw new SettingsError('Set ORDERS_TENURE_URL with the keys.')
  if ((stockUrl === undefined) !== (callKey === undefined)) {
    throw new SettingsError('Set ORDERS_STOCK_URL and ORDERS_CALL_KEY, or neither: calls carry a context.')
  }
  return {
    reports: url === undefined || reportKey === undefined ? undefined : { url, apiKey: reportKey },
    stock:
      url === undefined || callKey === undefined || stockUrl === undefined
        ? undefined
        : { url, apiKey: callKey, stockUrl },
  }
}

function textOf(env: Environment, name: string): string | undefined {
  const text = (env[name] ?? '').trim()
  return text === '' ? undefined : text
}

/** The first is the default. Anything else is a mistake to be told: a guard nobody meant to switch off would be off. */
function oneOf<Word extends string>(env: Environment, name: string, words: readonly [Word, ...Word[]]): Word {
  const text = textOf(env, name) ?? words[0]
  const word = words.find((each) => each === text)
  if (word === undefined) throw new SettingsError(`${name} has to be ${words.join(' or ')}.`)
  return word
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
