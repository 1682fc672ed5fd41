import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient, type Interceptor } from '@connectrpc/connect'
import { createGrpcTransport } from '@connectrpc/connect-node'
import { Membership_WorkspaceReach } from '../../src/gen/tenure/v1/membership_pb.ts'
import { TenantService } from '../../src/gen/tenure/v1/tenant_service_pb.ts'
import { UserService } from '../../src/gen/tenure/v1/user_service_pb.ts'
import { WorkspaceService } from '../../src/gen/tenure/v1/workspace_service_pb.ts'
import { startMysql } from '../rigs/mysql/start-mysql.ts'
import { createTenureDatabase } from '../rigs/mysql/tenure-database.ts'
import { childEnvironment, endChild, runTenure, startChild } from '../support/child-server.ts'
import { seedAccount } from '../support/fixture.ts'
import type { TestServer } from '../support/test-server.ts'
import { type BareTenant, openBareWriter } from './bare-writes.ts'
import { runProductWrites, runWrites, type WriteResult, type WriteTenant } from './write-load.ts'

/**
 * Membership writes, durable on MySQL, beside the same statements on bare mysql2 in the same run: one tenant (every write
 * waits for the one before it at the head) and 64 tenants. Rounds alternate between the two; each figure is the median.
 */
const rounds = 3
const shapes = [
  { name: '1 tenant', tenants: 1, workers: 16, perTenant: 600 },
  { name: '64 tenants', tenants: 64, workers: 64, perTenant: 20 },
]
const bareConnections = 16

const mysql = await startMysql()
const folder = mkdtempSync(join(tmpdir(), 'tenure-bench-write-'))
const account = { database: 'tenure', user: 'tenure', password: 'of-the-bench' }
await createTenureDatabase(mysql, account)
const url = `mysql://${account.user}:${account.password}@${mysql.host}:${mysql.port}/${account.database}`
const env = childEnvironment(folder, { TENURE_DATABASE_URL: url })
await runTenure(['migrate', 'up'], env)
await runTenure(['bootstrap'], env)
const child = await startChild(env)
const rootKey = readFileSync(join(folder, 'root-api-key'), 'utf8').trim()

function bearer(key: string): Interceptor {
  return (next) => (request) => {
    request.header.set('authorization', `Bearer ${key}`)
    return next(request)
  }
}

const client: TestServer['client'] = (service, key = rootKey) =>
  createClient(
    service,
    createGrpcTransport({ baseUrl: `http://127.0.0.1:${child.grpcPort}`, interceptors: [bearer(key)] }),
  )

async function seed(slug: string, users: number): Promise<WriteTenant & { readonly bare: BareTenant }> {
  const name = `tenants/${slug}`
  const { tenant } = await client(TenantService).createTenant({ tenantId: slug })
  const { workspace } = await client(WorkspaceService).createWorkspace({ parent: name, workspaceId: 'round-0' })
  for (let round = 1; round < rounds; round += 1) {
    await client(WorkspaceService).createWorkspace({ parent: name, workspaceId: `round-${round}` })
  }
  const key = await seedAccount({ client } as TestServer, name, 'writer', 'roles/owner', Membership_WorkspaceReach.ALL)
  const ids = Array.from({ length: users }, (_, index) => `user-${index}`)
  const create = (userId: string) =>
    client(UserService).createUser({ parent: name, userId, user: { issuer: 'https://idp.example', subject: userId } })
  for (let at = 0; at < ids.length; at += 16) await Promise.all(ids.slice(at, at + 16).map(create))
  const bare = { tenantId: tenant?.uid ?? '', workspaceId: workspace?.uid ?? '', userSlug: 'user-0' }
  return { name, key, users: ids, bare }
}

async function runBare(tenants: readonly BareTenant[], count: number): Promise<WriteResult> {
  const server = { ...mysql, ...account }
  const { host, port, user, password, database } = server
  const writers = await Promise.all(
    Array.from({ length: bareConnections }, () => openBareWriter({ host, port, user, password, database })),
  )
  const free = [...writers]
  let left = count
  const result = await runWrites(bareConnections, () => {
    if (left === 0) return undefined
    left -= 1
    const tenant = tenants[left % tenants.length]
    const writer = free.pop()
    if (writer === undefined || tenant === undefined) throw new Error('more workers than connections')
    return async () => {
      await writer.write(tenant)
      free.push(writer)
      return true
    }
  })
  for (const writer of writers) await writer.close()
  return result
}

async function questions(): Promise<number> {
  const rows = await mysql.query("SHOW GLOBAL STATUS WHERE Variable_name IN ('Com_stmt_execute', 'Com_commit')")
  return rows.reduce((sum, row) => sum + Number(row.Value), 0)
}

async function counted(run: () => Promise<WriteResult>, writes: number) {
  const before = await questions()
  const result = await run()
  return { ...result, statements: ((await questions()) - before) / writes }
}

type Counted = Awaited<ReturnType<typeof counted>>

function median(runs: readonly Counted[], of: (run: Counted) => number): number {
  return runs.map(of).sort((a, b) => a - b)[Math.floor(runs.length / 2)] ?? Number.NaN
}

function row(name: string, runs: readonly Counted[], ceiling: readonly Counted[]): string {
  const rate = median(runs, ({ perSecond }) => perSecond)
  return [
    name.padEnd(14),
    rate.toFixed(0).padStart(10),
    `${((rate / median(ceiling, ({ perSecond }) => perSecond)) * 100).toFixed(0)}%`.padStart(9),
    median(runs, ({ p50Ms }) => p50Ms)
      .toFixed(1)
      .padStart(9),
    median(runs, ({ p99Ms }) => p99Ms)
      .toFixed(1)
      .padStart(9),
    median(runs, ({ statements }) => statements)
      .toFixed(1)
      .padStart(18),
    String(runs.reduce((sum, { failed }) => sum + failed, 0)).padStart(8),
  ].join('')
}

try {
  for (const [index, { name, tenants: count, workers, perTenant }] of shapes.entries()) {
    process.stdout.write(`\n${name}: seeding ${count * perTenant} users\n`)
    const tenants: Awaited<ReturnType<typeof seed>>[] = []
    for (let at = 0; at < count; at += 1) tenants.push(await seed(`bench-${index}-${at}`, perTenant))
    const product: Counted[] = []
    const bare: Counted[] = []
    const bareTenants = tenants.map((tenant) => tenant.bare)
    for (let round = 0; round < rounds; round += 1) {
      const writes = count * perTenant
      product.push(await counted(() => runProductWrites(child.grpcPort, workers, tenants, `round-${round}`), writes))
      bare.push(await counted(() => runBare(bareTenants, writes), writes))
      process.stdout.write(
        `round ${round + 1}/${rounds}: ${product.at(-1)?.perSecond.toFixed(0)} writes/s, bare ${bare.at(-1)?.perSecond.toFixed(0)}\n`,
      )
    }
    process.stdout.write(
      `\n${name}\n${''.padEnd(14)}${'writes/s'.padStart(10)}${'of bare'.padStart(9)}${'p50 ms'.padStart(9)}${'p99 ms'.padStart(9)}${'statements/write'.padStart(18)}${'failed'.padStart(8)}\n`,
    )
    process.stdout.write(`${row('CreateMembership', product, bare)}\n${row('bare mysql2', bare, bare)}\n`)
  }
} finally {
  await endChild(child, 'SIGTERM')
  await mysql[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true, force: true })
}
