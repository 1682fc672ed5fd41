import { Code, ConnectError } from '@connectrpc/connect'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { RetryInfoSchema } from '../../src/gen/google/rpc/error_details_pb.ts'
import { AccessService, Decision } from '../../src/gen/tenure/v1/access_service_pb.ts'
import { UserService } from '../../src/gen/tenure/v1/user_service_pb.ts'
import { type MysqlRig, startMysql } from '../rigs/mysql/start-mysql.ts'
import { type FaultProxy, openFaultProxy } from '../rigs/tcp-fault-proxy.ts'
import { seedPermissions, seedTenant, type TenantFixture } from '../support/fixture.ts'
import { reasonOf } from '../support/reason.ts'
import { prepareDatabase } from '../support/test-database.ts'
import { startTestServer, type TestServer } from '../support/test-server.ts'

let mysql: MysqlRig
let network: FaultProxy
let server: TestServer
let acme: TenantFixture
let globex: TenantFixture

/** Set for the test; by default it is half a minute. */
const maxStalenessMs = 6_000
const recoveryMs = 5_000

beforeAll(async () => {
  mysql = await startMysql()
  network = await openFaultProxy(mysql)
  server = await startTestServer({
    env: {
      TENURE_DATABASE_URL: await prepareDatabase(mysql, network),
      TENURE_MAX_STALENESS_MS: String(maxStalenessMs),
    },
  })
  await seedPermissions(server)
  acme = await seedTenant(server, 'acme')
  globex = await seedTenant(server, 'globex')
})

afterAll(async () => {
  await server[Symbol.asyncDispose]()
  await network[Symbol.asyncDispose]()
  await mysql[Symbol.asyncDispose]()
})

function ask(tenant: TenantFixture) {
  return server.client(AccessService).authorize({
    parent: `${tenant.name}/workspaces/prod`,
    credential: { case: 'principal', value: { kind: { case: 'user', value: tenant.alice } } },
    permission: 'orders.read',
  })
}

function write(userId: string) {
  const user = { issuer: 'https://idp.example', subject: userId }
  return server.client(UserService).createUser({ parent: globex.name, userId, user })
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

async function untilWritten(prefix: string): Promise<number> {
  const startMs = performance.now()
  for (let attempt = 0; ; attempt += 1) {
    if ((await reasonOf(write(`${prefix}-${attempt}`))) === 'OK') return performance.now() - startMs
    if (performance.now() - startMs > recoveryMs) throw new Error('no write was taken in time')
    await sleep(100)
  }
}

/** Asks without pause until told to stop; every answer with the time at which it came. */
function keepAsking() {
  const answers: { readonly atMs: number; readonly answer: string }[] = []
  const startMs = performance.now()
  let asking = true
  const loop = async () => {
    while (asking) {
      const answer = await ask(acme).then(
        ({ decision }) => (decision === Decision.ALLOW ? 'ALLOW' : 'DENY'),
        (error: unknown) => reasonOf(Promise.reject(error)),
      )
      answers.push({ atMs: performance.now() - startMs, answer })
      await sleep(5)
    }
  }
  const loops = Promise.all([loop(), loop(), loop()])
  return {
    async stop() {
      asking = false
      await loops
      return answers
    },
  }
}

test('while MySQL is stopped Authorize goes on for the stated staleness, then is STALE, and recovers by itself', async () => {
  expect((await ask(acme)).decision).toBe(Decision.ALLOW)
  const asking = keepAsking()
  await mysql.stop()
  const startMs = performance.now()
  const failed = ConnectError.from(await write('fails-fast').catch((error: unknown) => error))
  expect(performance.now() - startMs).toBeLessThan(2_000)
  expect(failed.findDetails(RetryInfoSchema)).toHaveLength(1)
  expect(await reasonOf(write('fails-again'))).toBe('DATABASE_UNAVAILABLE')
  await sleep(maxStalenessMs + 1_000 - (performance.now() - startMs))
  expect(await reasonOf(ask(acme))).toBe('STALE')
  await mysql.start()
  const recovery = await untilWritten('recovered')
  expect(recovery).toBeLessThan(recoveryMs)
  await sleep(600)
  expect((await ask(acme)).decision).toBe(Decision.ALLOW)
  const answers = await asking.stop()
  const allowed = answers.filter(({ atMs }) => atMs < maxStalenessMs - 1_000)
  expect(new Set(allowed.map(({ answer }) => answer))).toEqual(new Set(['ALLOW']))
  expect(new Set(answers.map(({ answer }) => answer))).toEqual(new Set(['ALLOW', 'STALE']))
})

test('MySQL killed and started again: writes go on without a restart of the server', async () => {
  await mysql.kill()
  await mysql.start()
  expect(await untilWritten('after-kill')).toBeLessThan(recoveryMs)
})

test('a network that swallows everything: no call outlives its deadline, and service resumes', async () => {
  network.swallow(true)
  const startMs = performance.now()
  const user = { issuer: 'https://idp.example', subject: 'swallowed' }
  const call = server
    .client(UserService)
    .createUser({ parent: globex.name, userId: 'swallowed', user }, { timeoutMs: 1_500 })
  const outcome = ConnectError.from(await call.catch((error: unknown) => error))
  const tookMs = performance.now() - startMs
  network.swallow(false)
  network.cutAll()
  expect([Code.DeadlineExceeded, Code.Unavailable]).toContain(outcome.code)
  expect(tookMs).toBeLessThan(2_500)
  expect(await untilWritten('after-swallow')).toBeLessThan(recoveryMs)
})

test('a database that only takes reads any more never passes for fresh', async () => {
  await mysql.query('SET GLOBAL super_read_only = 1')
  try {
    expect(await reasonOf(write('read-only'))).toBe('DATABASE_UNAVAILABLE')
    await sleep(maxStalenessMs + 1_500)
    expect(await reasonOf(ask(acme))).toBe('STALE')
  } finally {
    await mysql.query('SET GLOBAL super_read_only = 0')
    await mysql.query('SET GLOBAL read_only = 0')
  }
  expect(await untilWritten('writable-again')).toBeLessThan(recoveryMs)
  await sleep(600)
  expect((await ask(acme)).decision).toBe(Decision.ALLOW)
})

test('a read-only flip of a moment is got over within the call, or told as something to repeat', async () => {
  const calls = Array.from({ length: 20 }, async (_, index) => {
    await sleep(index * 20)
    return reasonOf(write(`flip-${index}`))
  })
  await sleep(100)
  await mysql.query('SET GLOBAL super_read_only = 1')
  await sleep(100)
  await mysql.query('SET GLOBAL super_read_only = 0')
  await mysql.query('SET GLOBAL read_only = 0')
  const outcomes = new Set(await Promise.all(calls))
  outcomes.delete('DATABASE_UNAVAILABLE')
  expect(outcomes).toEqual(new Set(['OK']))
})
