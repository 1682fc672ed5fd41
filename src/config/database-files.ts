import type { MysqlFiles, MysqlUrl } from './mysql-url.ts'
import { authorityProblems, certificateProblems, type NamedBytes, readNamed } from './pem.ts'
import { secretIn } from './secret-file.ts'
import type { DatabaseConfig, MysqlTlsConfig, SqliteConfig } from './stores.ts'
import type { ReadFile } from './yaml-file.ts'

export interface DatabaseFiles {
  /** Undefined where there are problems. */
  readonly database: DatabaseConfig | undefined
  readonly problems: readonly string[]
}

/** Reads and checks the files a database URL names, so that a wrong one stops the start and not the first connection. */
export function readDatabaseFiles(setting: SqliteConfig | MysqlUrl, readFile: ReadFile): DatabaseFiles {
  if (setting.engine === 'sqlite') return { database: setting, problems: [] }
  const { files, tls: encrypted, password: ofUrl, ...rest } = setting
  const problems: string[] = []
  const read = (option: keyof MysqlFiles) => readOption(option, files[option], readFile, problems)
  const passwordFile = read('passwordFile')
  const password = passwordFile === undefined ? (ofUrl ?? '') : secretIn(passwordFile, 'a password', problems)
  const tls = encrypted ? readTls(read, problems) : undefined
  return { database: problems.length > 0 ? undefined : { ...rest, password, tls }, problems }
}

/** Not the path: what is part of the URL is never shown. */
function readOption(
  option: keyof MysqlFiles,
  path: string | undefined,
  readFile: ReadFile,
  problems: string[],
): NamedBytes | undefined {
  if (path === undefined) return undefined
  return readNamed(`TENURE_DATABASE_URL (${option})`, 'a file that', path, readFile, problems)
}

function readTls(read: (option: keyof MysqlFiles) => NamedBytes | undefined, problems: string[]): MysqlTlsConfig {
  const ca = read('tlsCa')
  const certificate = read('tlsCert')
  const privateKey = read('tlsKey')
  if (ca !== undefined) problems.push(...authorityProblems(ca))
  if (certificate !== undefined && privateKey !== undefined) {
    problems.push(...certificateProblems(certificate, privateKey))
  }
  return { ca: ca?.bytes, certificate: certificate?.bytes, privateKey: privateKey?.bytes }
}
