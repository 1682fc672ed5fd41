import { isIP } from 'node:net'
import { isLoopbackHost, parseListenAddress } from './listen-address.ts'
import type { Accepted } from './setting-types.ts'

/** What a mysql:// URL says; the files it names are not read yet. */
export interface MysqlUrl {
  readonly engine: 'mysql'
  readonly host: string
  readonly port: number
  readonly user: string
  /** Secret. Undefined: the URL holds none. */
  readonly password: string | undefined
  readonly database: string
  /** Whether connections are encrypted. */
  readonly tls: boolean
  readonly files: MysqlFiles
}

/** Paths, by the option that names them. */
export interface MysqlFiles {
  readonly tlsCa?: string
  readonly tlsCert?: string
  readonly tlsKey?: string
  readonly passwordFile?: string
}

export const mysqlForm = 'mysql://<user>:<password>@<host>:<port>/<database>?<options>'

const defaultPort = 3306
const databaseName = /^[A-Za-z0-9_-]{1,64}$/
const optionNames = ['tls', 'tlsCa', 'tlsCert', 'tlsKey', 'passwordFile'] as const

type OptionName = (typeof optionNames)[number]
type Options = Partial<Record<OptionName, string>>

/**
 * Parsed by hand: a general parser of URLs would take a password with a `#`, `/` or `?` in it apart without a word and
 * name a part of it as the host. Sentences never repeat a part of the text: it holds a password.
 */
export function parseMysqlUrl(text: string): Accepted<MysqlUrl> {
  if (!text.startsWith('mysql://')) return { problem: `must be ${mysqlForm}` }
  if (text.includes('#')) return { problem: 'holds a "#"; write %23 for one in a user or password' }
  const [, authority = '', path, query] = /^mysql:\/\/([^/?]*)(?:\/([^?]*))?(?:\?(.*))?$/.exec(text) ?? []
  const account = parseAccount(authority)
  if ('problem' in account) return account
  const address = parseAddress(authority.slice(authority.indexOf('@') + 1))
  if ('problem' in address) return address
  const database = parseDatabaseName(path ?? '')
  if ('problem' in database) return database
  const options = parseOptions(query)
  if ('problem' in options) return options
  const url = { engine: 'mysql', ...account.value, ...address.value, database: database.value } as const
  return withOptions(url, options.value)
}

type Account = Pick<MysqlUrl, 'user' | 'password'>
type Address = Pick<MysqlUrl, 'host' | 'port'>

function parseAccount(authority: string): Accepted<Account> {
  const end = authority.indexOf('@')
  if (end < 1 || authority.startsWith(':')) {
    return {
      problem: `names no user; write ${mysqlForm}, with %2F, %3F, %3A and %40 for /, ?, : and @ in a user or password`,
    }
  }
  if (authority.includes('@', end + 1)) {
    return { problem: 'holds more than one "@" before its database; write %40 for one in a user or password' }
  }
  const [name = '', ...rest] = authority.slice(0, end).split(':')
  const user = decode(name)
  // Only the first colon ends the user: a password may hold more of them.
  const password = decode(rest.join(':'))
  if (user === undefined || password === undefined) return { problem: notDecoded }
  return { value: { user, password: rest.length === 0 ? undefined : password } }
}

function parseAddress(text: string): Accepted<Address> {
  const address = parseListenAddress(/:\d+$/.test(text) ? text : `${text}:${defaultPort}`)
  if (address !== undefined && address.port > 0) return { value: address }
  return { problem: 'must name its host as name, name:port, 1.2.3.4:port or [v6]:port after the "@"' }
}

function parseDatabaseName(path: string): Accepted<string> {
  if (path === '')
    return { problem: 'names no database; write its name after the host, as in mysql://<user>@<host>/tenure' }
  if (path.includes('/'))
    return { problem: 'has more than one "/" after its host; the name of the database is all that stands there' }
  const name = decode(path)
  if (name === undefined) return { problem: notDecoded }
  return databaseName.test(name)
    ? { value: name }
    : { problem: 'must name a database of 1 to 64 characters of A-Z, a-z, 0-9, _ and -' }
}

function parseOptions(query: string | undefined): Accepted<Options> {
  const options: Options = {}
  for (const part of query?.split('&') ?? []) {
    const [key, ...rest] = part.split('=')
    const name = optionNames.find((known) => known === key)
    const value = decode(rest.join('='))
    if (name === undefined) return { problem: `has an option that is not known; there are ${optionNames.join(', ')}` }
    if (value === undefined) return { problem: notDecoded }
    if (value === '') return { problem: `has the option ${name} without a value; give it one or remove it` }
    if (options[name] !== undefined) return { problem: `has the option ${name} twice; remove one` }
    options[name] = value
  }
  return { value: options }
}

function withOptions(url: Omit<MysqlUrl, 'tls' | 'files'>, { tls, ...files }: Options): Accepted<MysqlUrl> {
  const { tlsCa, tlsCert, tlsKey, passwordFile } = files
  const namesTlsFiles = tlsCa !== undefined || tlsCert !== undefined || tlsKey !== undefined
  if (tls !== undefined && tls !== 'required' && tls !== 'off') {
    return { problem: 'has an option tls that is neither "required" nor "off"' }
  }
  if (tls === 'off' && namesTlsFiles) return { problem: 'says tls=off and names TLS files; remove one or the other' }
  if ((tlsCert === undefined) !== (tlsKey === undefined)) {
    return { problem: 'has one of the options tlsCert and tlsKey; set both, or neither' }
  }
  if (passwordFile !== undefined && url.password !== undefined) {
    return { problem: 'holds a password and names a passwordFile; remove one or the other' }
  }
  // Naming an authority and then talking in the clear because the server is near would be no one's intention.
  const encrypted = tls === undefined ? namesTlsFiles || !isLoopbackHost(url.host) : tls === 'required'
  // mysql2 compares the certificate of a server that is called by its address with the name `localhost`.
  if (encrypted && isIP(url.host) !== 0 && !isLoopbackHost(url.host)) {
    return {
      problem: 'must call its host by name, because a certificate is checked against a name; do so, or say tls=off',
    }
  }
  return { value: { ...url, tls: encrypted, files } }
}

const notDecoded = 'holds a "%" that begins no character, or a control character; write %25 for a "%"'

/** Undefined for what is no percent-encoded UTF-8, and for control characters: a NUL would end the text on the wire. */
function decode(text: string): string | undefined {
  try {
    const decoded = decodeURIComponent(text)
    return /\p{Cc}/u.test(decoded) ? undefined : decoded
  } catch {
    return undefined
  }
}
