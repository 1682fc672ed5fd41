import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Connection, createConnection } from 'mysql2/promise'
import { type MysqlRig, startMysql } from '../rigs/mysql/start-mysql.ts'
import { createTenureDatabase } from '../rigs/mysql/tenure-database.ts'
import { childEnvironment, runTenure } from './child-server.ts'

/** A MySQL of its own, migrated and bootstrapped; servers are started on it as one likes. */
export interface Installation extends AsyncDisposable {
  readonly mysql: MysqlRig
  readonly rootKey: string
  /** Of a server that goes by this name, and reaches the database at this place. */
  envOf(replica: string, database: Place): NodeJS.ProcessEnv
  /** To the rows, as an administrator and beside every server. Whoever asks for it ends it. */
  openDoor(): Promise<Connection>
}

interface Place {
  readonly host: string
  readonly port: number
}

const account = { database: 'tenure', user: 'tenure', password: 'of-this-installation' }

export async function openInstallation(): Promise<Installation> {
  await using stack = new AsyncDisposableStack()
  const folder = mkdtempSync(join(tmpdir(), 'tenure-crash-'))
  stack.defer(() => rmSync(folder, { recursive: true, force: true }))
  const mysql = stack.use(await startMysql())
  await createTenureDatabase(mysql, account)
  const envOf = (replica: string, { host, port }: Place) =>
    childEnvironment(folder, {
      TENURE_DATABASE_URL: `mysql://${account.user}:${account.password}@${host}:${port}/${account.database}`,
      TENURE_REPLICA: replica,
    })
  await completed(['migrate', 'up'], envOf('first', mysql))
  await completed(['bootstrap'], envOf('first', mysql))
  const { host, port, user, password } = mysql
  const owned = stack.move()
  return {
    ...{ mysql, envOf },
    rootKey: readFileSync(join(folder, 'root-api-key'), 'utf8').trim(),
    openDoor: () =>
      createConnection({ host, port, user, password, database: account.database, supportBigNumbers: true }),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

async function completed(args: readonly string[], env: NodeJS.ProcessEnv): Promise<void> {
  const { code, stderr } = await runTenure(args, env)
  if (code !== 0) throw new Error(`tenure ${args.join(' ')}: ${stderr}`)
}
