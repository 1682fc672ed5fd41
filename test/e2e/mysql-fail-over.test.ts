import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { AccessService, Decision } from '../../src/gen/tenure/v1/access_service_pb.ts'
import { UserService } from '../../src/gen/tenure/v1/user_service_pb.ts'
import { type MysqlRig, startMysql } from '../rigs/mysql/start-mysql.ts'
import { type FaultProxy, openFaultProxy } from '../rigs/tcp-fault-proxy.ts'
import { seedPermissions, seedTenant, type TenantFixture } from '../support/fixture.ts'
import { reasonOf } from '../support/reason.ts'
import { prepareDatabase } from '../support/test-database.ts'
import { startTestServer, type TestServer } from '../support/test-server.ts'

let folder: string
let old: MysqlRig
let next: MysqlRig
/** Where the name of the database leads. */
let primary: { host: string; port: number }
let network: FaultProxy
/** One that lives through the fail-over, and one that only ever knew the new primary. */
let server: TestServer
let other: TestServer
let acme: TenantFixture

const boundMs = 5_000

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tenure-fail-over-'))
  const [oldFolder, nextFolder] = [join(folder, 'old'), join(folder, 'next')]
  old = await startMysql({ folder: oldFolder })
  primary = { host: old.host, port: old.port }
  network = await openFaultProxy(primary)
  const url = await prepareDatabase(old, network)
  const seeding = await startTestServer({ folder, env: { TENURE_DATABASE_URL: url } })
  await seedPermissions(seeding)
  acme = await seedTenant(seeding, 'acme')
  await seeding.stop()
  // As a replica that has everything: a copy that is told from the other by its own identity.
  await old.stop()
  cpSync(oldFolder, nextFolder, { recursive: true })
  rmSync(join(nextFolder, 'data/auto.cnf'))
  await old.start()
  next = await startMysql({ folder: nextFolder })
  server = await startTestServer({ folder, env: { TENURE_DATABASE_URL: url } })
})

afterAll(async () => {
  for (const each of [server, other, network, old, next]) await each?.[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true, force: true })
})

function ask(user: string) {
  return server.client(AccessService).authorize({
    parent: `${acme.name}/workspaces/prod`,
    credential: { case: 'principal', value: { kind: { case: 'user', value: user } } },
    permission: 'orders.read',
  })
}

function create(at: TestServer, userId: string) {
  const user = { issuer: 'https://idp.example', subject: userId }
  return at.client(UserService).createUser({ parent: acme.name, userId, user })
}

async function within(startMs: number, holds: () => Promise<boolean>): Promise<boolean> {
  while (performance.now() - startMs < boundMs) {
    if (await holds()) return true
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  return false
}

test('after a fail-over whose old primary stays up and read-only, reads, decisions and writes are the new one’s', async () => {
  expect((await ask(acme.alice)).decision).toBe(Decision.ALLOW)
  // Every reading connection of the server leads to the old one.
  await Promise.all(Array.from({ length: 8 }, () => server.client(UserService).listUsers({ parent: acme.name })))
  await old.query('SET GLOBAL super_read_only = 1')
  primary.port = next.port
  const startMs = performance.now()
  other = await startTestServer({
    ...{ folder, env: { TENURE_DATABASE_URL: server.databaseUrl, TENURE_REPLICA: 'other' } },
  })
  await create(other, 'newcomer')
  await other.client(UserService).disableUser({ name: acme.alice })
  const newcomer = { name: `${acme.name}/users/newcomer` }
  const reads = within(startMs, async () => (await reasonOf(server.client(UserService).getUser(newcomer))) === 'OK')
  const decides = within(startMs, async () => (await ask(acme.alice)).decision === Decision.DENY)
  const writes = within(startMs, async () => {
    const outcome = await reasonOf(create(server, 'after-fail-over'))
    return outcome === 'OK' || outcome === 'ALREADY_EXISTS'
  })
  expect({ reads: await reads, decides: await decides, writes: await writes }).toEqual({
    ...{ reads: true, decides: true, writes: true },
  })
  // Not one connection goes on reading what nobody writes to any more.
  const lists = Array.from({ length: 20 }, () => reasonOf(server.client(UserService).getUser(newcomer)))
  expect(new Set(await Promise.all(lists))).toEqual(new Set(['OK']))
})
