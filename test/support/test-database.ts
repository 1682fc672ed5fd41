import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock } from '../../src/base/clock.ts'
import { loadConfig } from '../../src/config/load-config.ts'
import type { Engine } from '../../src/storage/database.ts'
import { applyMigrations } from '../../src/storage-parts.ts'
import { type MysqlAccount, mysqlAccountFrom } from '../rigs/mysql/mysql-account.ts'
import { createTenureDatabase } from '../rigs/mysql/tenure-database.ts'

/** What the tests run on; each is a project of vitest.config.ts. */
export const testEngine: Engine = process.env.TENURE_TEST_ENGINE === 'mysql' ? 'mysql' : 'sqlite'

/** Servers under test are let in as in production, with a password and to their own database alone. */
const account = { user: 'tenure', password: 'of-the-tests' }

/** The database of the installation in `folder`: a file in it, or one of its own in the MySQL of this run. */
export function databaseUrlOf(folder: string): string {
  if (testEngine === 'sqlite') return `sqlite:${join(folder, 'tenure.db')}`
  const { host, port } = mysqlAdministrator()
  const name = `t${createHash('sha256').update(folder).digest('hex').slice(0, 16)}`
  return `mysql://${account.user}:${account.password}@${host}:${port}/${name}`
}

const ensured = new Map<string, Promise<void>>()

/** Makes the database and its tables, where a server finds them made: once for each. */
export function ensureDatabase(url: string): Promise<void> {
  if (!isInMysqlOfThisRun(url)) return Promise.resolve()
  const ready = ensured.get(url) ?? createDatabase(url).then(() => migrate(url))
  ensured.set(url, ready)
  return ready
}

function isInMysqlOfThisRun(url: string): boolean {
  if (testEngine === 'sqlite') return false
  const { host, port } = mysqlAdministrator()
  return new URL(url).host === `${host}:${port}`
}

/** An empty one, in the MySQL of this run. */
export async function createDatabase(url: string): Promise<void> {
  await createTenureDatabase(mysqlAdministrator(), { database: new URL(url).pathname.slice(1), ...account })
}

async function migrate(url: string): Promise<void> {
  const config = loadConfig({ env: { TENURE_DATABASE_URL: url }, readFile: (path) => readFileSync(path) })
  await applyMigrations(config, systemClock)
}

/** Of the MySQL of this run. */
export function mysqlAdministrator(): MysqlAccount {
  const url = process.env.TENURE_TEST_MYSQL
  if (url === undefined) throw new Error('MySQL is not there: see what the start of this run says about it')
  return mysqlAccountFrom(url)
}

/** One with its tables in a MySQL of the test's own. Answers its URL, by way of `network` where that lies before it. */
export async function prepareDatabase(
  administrator: MysqlAccount,
  network: Pick<MysqlAccount, 'host' | 'port'> = administrator,
): Promise<string> {
  const database = 'tenure'
  await createTenureDatabase(administrator, { database, ...account })
  const urlAt = ({ host, port }: typeof network) =>
    `mysql://${account.user}:${account.password}@${host}:${port}/${database}`
  await migrate(urlAt(administrator))
  return urlAt(network)
}
