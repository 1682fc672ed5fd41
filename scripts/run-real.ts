import { type ChildProcess, execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { queryMysql } from '../test/rigs/mysql/mysql-account.ts'
import { type MysqlRig, startMysql } from '../test/rigs/mysql/start-mysql.ts'
import { createTenureDatabase } from '../test/rigs/mysql/tenure-database.ts'
import { type OpenBaoRig, startOpenBao } from '../test/rigs/openbao/start-openbao.ts'
import { tenurePolicy } from '../test/rigs/openbao/tenure-policy.ts'
import { localPrograms, readPassword, root } from './local-tenure.ts'
import { realStory } from './real-story.ts'

// Everything a company would run, each part as it would be run there, on loopback: MySQL, OpenBao, Tenure, and a service
// of theirs. All of it is kept in one folder and found again by the next start.

const folder = '.tenure-real'
const grpcAddress = '127.0.0.1:7080'
const httpAddress = '127.0.0.1:7081'
const ordersAddress = '127.0.0.1:7090'
const rootKeyFile = `${folder}/root-api-key`

function say(what: string): void {
  process.stdout.write(`${what}\n`)
}

/** With rights of its own in it, and none anywhere else. */
async function prepareMysql(mysql: MysqlRig): Promise<{ tenureUrl: string; ordersUrl: string }> {
  const password = readPassword(join(folder, 'password'))
  const at = `127.0.0.1:${mysql.port}`
  await createTenureDatabase(mysql, { database: 'tenure', user: 'tenure', password })
  const ordersPassword = readPassword(join(folder, 'orders-password'))
  await queryMysql(mysql, 'CREATE DATABASE IF NOT EXISTS orders CHARACTER SET utf8mb4')
  await queryMysql(mysql, "CREATE USER IF NOT EXISTS orders@'%' IDENTIFIED BY ?", [ordersPassword])
  await queryMysql(mysql, "GRANT SELECT, INSERT, CREATE ON orders.* TO orders@'%'")
  return {
    tenureUrl: `mysql://tenure:${password}@${at}/tenure`,
    ordersUrl: `mysql://orders:${ordersPassword}@${at}/orders`,
  }
}

/** The mount, and a role that may do in it what docs/operations.md gives a server. */
async function prepareOpenBao(bao: OpenBaoRig): Promise<Record<string, string>> {
  const { data: mounts = {} } = await bao.ask('GET', 'sys/mounts')
  if (mounts['transit/'] === undefined) await bao.mountTransit('transit')
  await bao.writePolicy('tenure', tenurePolicy('transit'))
  const { roleId, secretId } = await bao.makeAppRole('tenure', { policies: ['tenure'], ttlSeconds: 3_600 })
  return {
    TENURE_KEYRING: 'vault:transit',
    VAULT_ADDR: bao.address,
    VAULT_ROLE_ID: roleId,
    VAULT_SECRET_ID: secretId,
  }
}

/** Resolves when the program says so; rejects when it ends before. */
async function untilItSays(child: ChildProcess, pattern: RegExp): Promise<void> {
  if (child.stdout === null) throw new Error('a program without output')
  for await (const line of createInterface({ input: child.stdout })) {
    if (!pattern.test(line)) continue
    child.stdout.resume()
    return
  }
  throw new Error('a part ended before it listened; its last words are above')
}

/** What the orders service's own people would add to the catalogue when they bring it. */
async function addPermissions(rootKey: string): Promise<void> {
  for (const [permissionId, effect] of [
    ['orders.read', 'EFFECT_READ'],
    ['orders.write', 'EFFECT_WRITE'],
  ]) {
    const response = await fetch(`http://${httpAddress}/tenure.v1.RoleService/CreatePermission`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${rootKey}` },
      body: JSON.stringify({ permissionId, permission: { effect } }),
    })
    const body = (await response.json()) as { code?: string; message?: string }
    if (!response.ok && body.code !== 'already_exists') throw new Error(body.message)
  }
}

process.chdir(root)
mkdirSync(folder, { recursive: true, mode: 0o700 })
const programs = localPrograms()
say('Installing the orders service with the SDK of these sources.')
execFileSync(process.execPath, ['scripts/install-orders-service.ts'], { stdio: ['ignore', 'ignore', 'inherit'] })
say('Starting MySQL and OpenBao.')
await using mysql = await startMysql({ folder: join(folder, 'mysql'), password: randomBytes(24).toString('hex') })
await using bao = await startOpenBao({ folder: join(folder, 'openbao') })
const { tenureUrl, ordersUrl } = await prepareMysql(mysql)
const env = {
  ...process.env,
  ...(await prepareOpenBao(bao)),
  TENURE_DATABASE_URL: tenureUrl,
  TENURE_GRPC_ADDRESS: grpcAddress,
  TENURE_HTTP_ADDRESS: httpAddress,
  TENURE_ROOT_KEY_FILE: rootKeyFile,
  TENURE_AUDIT_CHECKPOINTS: `file:${folder}/audit-checkpoints.jsonl`,
}
process.exitCode = (await programs.tenure(['migrate', 'up'], env)) || (await programs.tenure(['bootstrap'], env))
if (process.exitCode === 0 && !programs.stopping) await serve()

async function serve(): Promise<void> {
  say('Starting Tenure and the orders service.')
  const piped = { stdio: ['ignore', 'pipe', 'inherit'] as ('ignore' | 'pipe' | 'inherit')[] }
  const tenure = programs.start('bin/tenure', ['serve'], { env, ...piped })
  await untilItSays(tenure, /^Tenure listens/)
  await addPermissions(readFileSync(rootKeyFile, 'utf8').trim())
  const orders = programs.start(process.execPath, ['src/main.ts'], {
    cwd: 'examples/orders-service',
    env: {
      PATH: process.env.PATH,
      ORDERS_ADDRESS: ordersAddress,
      ORDERS_DATABASE_URL: ordersUrl,
      ORDERS_AUDIENCE: 'orders',
      ORDERS_ISSUER: `http://${httpAddress}`,
      ORDERS_JWKS_URL: `http://${httpAddress}/.well-known/jwks.json`,
    },
    ...piped,
  })
  await untilItSays(orders, /^orders-service listens/)
  say(
    realStory({ grpcAddress, httpAddress, ordersAddress, rootKeyFile, mysqlPort: mysql.port, baoAddress: bao.address }),
  )
  // Whichever ends by itself takes the other along: half of it would only look as if it ran. Who is told to stop twice
  // stops in the midst of what it does.
  const codes = await Promise.all(
    [tenure, orders].map(async (child) => {
      const [code] = (await once(child, 'exit')) as [number | null]
      if (!programs.stopping) for (const other of [tenure, orders]) other.kill('SIGTERM')
      return code ?? 1
    }),
  )
  process.exitCode = Math.max(...codes)
}
