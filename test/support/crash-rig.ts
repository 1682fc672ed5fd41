import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Connection, createConnection } from 'mysql2/promise'
import { type MysqlRig, startMysql } from '../rigs/mysql/start-mysql.ts'
import { createTenureDatabase } from '../rigs/mysql/tenure-database.ts'
import { openFaultProxy } from '../rigs/tcp-fault-proxy.ts'
import { childEnvironment, runTenure } from './child-server.ts'
import { CrashServer } from './crash-server.ts'

/** A MySQL of its own, and two servers on it, each in a process of its own behind a network of its own. */
export interface CrashRig extends AsyncDisposable {
  readonly mysql: MysqlRig
  readonly servers: readonly CrashServer[]
  readonly rootKey: string
  /** To the rows, as an administrator, beside servers and networks. Whoever asks for it ends it. */
  openDoor(): Promise<Connection>
}

const account = { database: 'tenure', user: 'tenure', password: 'of-the-crash-trials' }
const serverCount = 2

export async function openCrashRig(): Promise<CrashRig> {
  await using stack = new AsyncDisposableStack()
  const folder = mkdtempSync(join(tmpdir(), 'tenure-crash-'))
  stack.defer(() => rmSync(folder, { recursive: true, force: true }))
  const mysql = stack.use(await startMysql())
  await createTenureDatabase(mysql, account)
  const envAt = (place: { host: string; port: number }, replica: string) =>
    childEnvironment(folder, { TENURE_DATABASE_URL: urlAt(place), TENURE_REPLICA: replica })
  await completed(['migrate', 'up'], envAt(mysql, 'replica-0'))
  await completed(['bootstrap'], envAt(mysql, 'replica-0'))
  const servers: CrashServer[] = []
  for (let number = 1; number <= serverCount; number += 1) {
    const network = await openFaultProxy(mysql)
    const name = `replica-${number}`
    const server = stack.use(new CrashServer(name, network, envAt(network, name)))
    await server.start()
    servers.push(server)
  }
  const { host, port, user, password } = mysql
  const owned = stack.move()
  return {
    ...{ mysql, servers },
    rootKey: readFileSync(join(folder, 'root-api-key'), 'utf8').trim(),
    openDoor: () =>
      createConnection({ host, port, user, password, database: account.database, supportBigNumbers: true }),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

function urlAt({ host, port }: { host: string; port: number }): string {
  return `mysql://${account.user}:${account.password}@${host}:${port}/${account.database}`
}

async function completed(args: readonly string[], env: NodeJS.ProcessEnv): Promise<void> {
  const { code, stderr } = await runTenure(args, env)
  if (code !== 0) throw new Error(`tenure ${args.join(' ')}: ${stderr}`)
}
