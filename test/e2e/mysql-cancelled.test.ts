import { afterAll, beforeAll, expect, test } from 'vitest'
import { AuditService } from '../../src/gen/tenure/v1/audit_service_pb.ts'
import { UserService } from '../../src/gen/tenure/v1/user_service_pb.ts'
import { seedPermissions, seedTenant, type TenantFixture } from '../support/fixture.ts'
import { openSideDoor, type SideDoor } from '../support/side-door.ts'
import { startTestServer, type TestServer } from '../support/test-server.ts'

let server: TestServer
let sideDoor: SideDoor
let tenants: TenantFixture[]

// Few connections, so that each is handed on hundreds of times.
const env = { TENURE_DATABASE_READERS: '2', TENURE_DATABASE_WRITERS: '2' }
const calls = 1_000
const atOnce = 24

beforeAll(async () => {
  server = await startTestServer({ env })
  sideDoor = await openSideDoor(server.databaseUrl)
  await seedPermissions(server)
  tenants = [await seedTenant(server, 'acme'), await seedTenant(server, 'globex')]
})

afterAll(async () => {
  await sideDoor[Symbol.asyncDispose]()
  await server[Symbol.asyncDispose]()
})

function createUser(tenant: TenantFixture, userId: string, signal: AbortSignal) {
  const user = { issuer: 'https://idp.example', subject: userId }
  return server.client(UserService).createUser({ parent: tenant.name, userId, user }, { signal })
}

test('of 1,000 calls cancelled at random moments the next user of a connection sees nothing', async () => {
  const strangers: string[] = []
  let answered = 0
  let next = 0
  const one = async (number: number) => {
    const tenant = tenants[number % 2]
    if (tenant === undefined) throw new Error('no tenant')
    // On a machine so busy that nobody is answered, some callers have to have more patience.
    const patienceMs = answered === 0 && number > 100 ? 2_000 : 200
    const signal = AbortSignal.timeout(1 + Math.floor(Math.random() * patienceMs))
    if (number % 3 === 0) {
      const { users } = await server.client(UserService, tenant.ownerKey).listUsers({ parent: tenant.name }, { signal })
      strangers.push(...users.map(({ name }) => name).filter((name) => !name.startsWith(`${tenant.name}/`)))
    } else {
      await createUser(tenant, `user-${number}`, signal)
    }
    answered += 1
  }
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      while (next < calls) {
        next += 1
        await one(next).catch(() => undefined)
      }
    }),
  )
  expect(strangers).toEqual([])
  expect(answered).toBeGreaterThan(0)
  expect(answered).toBeLessThan(calls)
  // What was under way when its caller left comes to its end.
  await new Promise((resolve) => setTimeout(resolve, 500))
  for (const { name, uid } of tenants) {
    const rows = await sideDoor.all("SELECT slug FROM users WHERE tenant_id = ? AND slug LIKE 'user-%'", [uid])
    const events = await sideDoor.all(
      "SELECT target FROM journal WHERE tenant_id = ? AND event = 'users.create' AND target LIKE '%/users/user-%'",
      [uid],
    )
    const targets = events.map(({ target }) => String(target).replace(`${name}/users/`, ''))
    expect(targets.sort()).toEqual(rows.map(({ slug }) => String(slug)).sort())
    expect((await server.client(AuditService).verifyAuditChain({ parent: name })).valid).toBe(true)
  }
  // The server writes by itself too, so one look may meet something that is just being written.
  const open = () =>
    sideDoor.all(
      'SELECT t.trx_id FROM information_schema.innodb_trx t JOIN information_schema.processlist p ON p.id = t.trx_mysql_thread_id WHERE p.db = DATABASE() AND t.trx_rows_modified > 0',
    )
  await expect.poll(open, { timeout: 5_000 }).toEqual([])
})
