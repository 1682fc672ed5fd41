import { randomBytes } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { startMysql } from '../test/rigs/mysql/start-mysql.ts'
import { createTenureDatabase } from '../test/rigs/mysql/tenure-database.ts'
import { localPrograms, readPassword, root } from './local-tenure.ts'
import { secondServer, settingsIn } from './second-server.ts'

// What `make run` does, on a MySQL that is started for it and stopped after it. All it keeps is in one folder.

const folder = '.tenure-mysql'
const passwordFile = join(folder, 'password')
const account = { database: 'tenure', user: 'tenure' }

const settings = settingsIn(folder)

function databaseUrl(port: number, password: string): string {
  return `mysql://${account.user}:${password}@127.0.0.1:${port}/${account.database}`
}

process.chdir(root)
mkdirSync(folder, { recursive: true, mode: 0o700 })
// The administrator's password is known to this process alone, and is another one at the next start.
await using mysql = await startMysql({ folder: join(folder, 'mysql'), password: randomBytes(24).toString('hex') })
const password = readPassword(passwordFile)
await createTenureDatabase(mysql, { ...account, password })
const env = { ...process.env, ...settings, TENURE_DATABASE_URL: databaseUrl(mysql.port, password) }
const { tenure } = localPrograms()
process.exitCode = (await tenure(['migrate', 'up'], env)) || (await tenure(['bootstrap'], env))
if (process.exitCode === 0) {
  process.stdout.write(secondServer(folder, databaseUrl(mysql.port, `$(cat ${passwordFile})`)))
  process.exitCode = await tenure(['serve'], env)
}
