import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Code, ConnectError } from '@connectrpc/connect'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { ErrorInfoSchema, RetryInfoSchema } from '../../src/gen/google/rpc/error_details_pb.ts'
import { AccessService } from '../../src/gen/tenure/v1/access_service_pb.ts'
import { SecretService } from '../../src/gen/tenure/v1/secret_service_pb.ts'
import { TokenService } from '../../src/gen/tenure/v1/token_service_pb.ts'
import { type OpenBaoRig, startOpenBao } from '../rigs/openbao/start-openbao.ts'
import { tenurePolicy } from '../rigs/openbao/tenure-policy.ts'
import { type FaultProxy, openFaultProxy } from '../rigs/tcp-fault-proxy.ts'
import { seedPermissions, seedTenant, type TenantFixture } from '../support/fixture.ts'
import { startTestServer, type TestServer } from '../support/test-server.ts'

// A server whose keys are in an OpenBao of its own, which is taken from it in every way there is.

const cacheMs = 4_000

let folder: string
let bao: OpenBaoRig
let network: FaultProxy
let server: TestServer
let acme: TenantFixture

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tenure-vault-'))
  bao = await startOpenBao()
  network = await openFaultProxy(bao)
  await bao.mountTransit('transit')
  await bao.writePolicy('tenure', tenurePolicy('transit'))
  // Short enough to be renewed in here, and to end.
  const { roleId, secretId } = await bao.makeAppRole('tenure', { policies: ['tenure'], ttlSeconds: 4 })
  server = await startTestServer({
    folder,
    env: {
      TENURE_KEYRING: 'vault:transit',
      VAULT_ADDR: `http://${network.host}:${network.port}`,
      VAULT_ROLE_ID: roleId,
      VAULT_SECRET_ID: secretId,
      TENURE_DATA_KEY_CACHE_MS: String(cacheMs),
    },
  })
  await seedPermissions(server)
  acme = await seedTenant(server, 'acme')
}, 60_000)

afterAll(async () => {
  await server?.[Symbol.asyncDispose]()
  await network?.[Symbol.asyncDispose]()
  await bao?.[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true, force: true })
})

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))
const secrets = () => server.client(SecretService, acme.ownerKey)
const prod = 'tenants/acme/workspaces/prod'

let made = 0

/** A secret with one value that no data key is held for. */
async function newSecret(): Promise<string> {
  made += 1
  const { secret } = await secrets().createSecret({ parent: prod, secretId: `away-${made}` })
  const parent = secret?.name ?? ''
  await secrets().addSecretVersion({ parent, payload: Buffer.from(`value of ${parent}`) })
  return parent
}

const read = async (parent: string) =>
  Buffer.from((await secrets().accessSecretVersion({ name: `${parent}/versions/latest` })).payload).toString()

interface Refusal {
  readonly code: Code
  readonly reason: string
  readonly retryAfterSeconds: number
  readonly text: string
  readonly ms: number
}

async function refusalOf(call: () => Promise<unknown>): Promise<Refusal> {
  const startMs = performance.now()
  const error = await call().then(
    () => new Error('it was answered'),
    (caught: unknown) => caught,
  )
  const known = ConnectError.from(error)
  return {
    code: known.code,
    reason: known.findDetails(ErrorInfoSchema)[0]?.reason ?? known.message,
    retryAfterSeconds: Number(known.findDetails(RetryInfoSchema)[0]?.retryDelay?.seconds ?? -1),
    text: known.message,
    ms: performance.now() - startMs,
  }
}

/** What must hold while the keyring is away, however that came. */
async function expectAway(cached: string, uncached: string): Promise<void> {
  expect(await read(cached)).toBe(`value of ${cached}`)
  const value = `plain-${made}`
  const calls = [
    () => secrets().addSecretVersion({ parent: uncached, payload: Buffer.from(value) }),
    () => read(uncached),
  ]
  for (const call of calls) {
    const refusal = await refusalOf(call)
    expect(refusal).toMatchObject({ code: Code.Unavailable, reason: 'KEYRING_UNAVAILABLE', retryAfterSeconds: 1 })
    expect(refusal.ms).toBeLessThan(3_500)
    expect(refusal.text).not.toMatch(/vault|bao|token|127\.0\.0\.1|\d{4,}/i)
  }
  const { decision } = await server.client(AccessService).authorize({
    ...{ parent: prod, permission: 'orders.read' },
    credential: { case: 'principal', value: { kind: { case: 'user', value: acme.alice } } },
  })
  expect(decision).toBe(1)
  const principal = { kind: { case: 'user' as const, value: acme.alice } }
  expect((await server.client(TokenService).issueToken({ parent: acme.name, principal })).token).toMatch(/^eyJ/)
  expect((await secrets().getSecret({ name: uncached })).secret?.latestVersion).toBe(1n)
}

/** Writes and uncached reads work again, by themselves, within that time. */
async function expectBack(uncached: string, withinMs: number): Promise<void> {
  const endMs = performance.now() + withinMs
  for (;;) {
    const outcome = await refusalOf(() => read(uncached))
    if (outcome.reason.includes('it was answered')) break
    expect(performance.now(), outcome.text).toBeLessThan(endMs)
    await sleep(100)
  }
  await secrets().addSecretVersion({ parent: uncached, payload: Buffer.from('after it') })
  expect(await read(uncached)).toBe('after it')
}

/** One value whose data key is held by now, and one whose is not. */
async function twoSecrets(): Promise<[cached: string, uncached: string]> {
  const pair: [string, string] = [await newSecret(), await newSecret()]
  await read(pair[0])
  return pair
}

afterEach(() => network.swallow(false))

test('sealed, then unsealed', async () => {
  const [cached, uncached] = await twoSecrets()
  await bao.seal()
  await expectAway(cached, uncached)
  await bao.unseal()
  await expectBack(uncached, 3_000)
})

test('killed, then started again on its data', async () => {
  const [cached, uncached] = await twoSecrets()
  await bao.kill()
  await expectAway(cached, uncached)
  await bao.start()
  await expectBack(uncached, 3_000)
})

test('hung for five seconds: the first call waits its bound, others are told at once, and nothing piles up', async () => {
  const [cached, uncached] = await twoSecrets()
  bao.pause()
  const startMs = performance.now()
  const refusals = await Promise.all(Array.from({ length: 40 }, () => refusalOf(() => read(uncached))))
  expect(performance.now() - startMs).toBeLessThan(4_000)
  for (const { reason } of refusals) expect(reason).toBe('KEYRING_UNAVAILABLE')
  expect((await refusalOf(() => read(uncached))).ms).toBeLessThan(2_500)
  // Past its life, also the one that was held is asked for again.
  await sleep(cacheMs)
  expect((await refusalOf(() => read(cached))).reason).toBe('KEYRING_UNAVAILABLE')
  await sleep(Math.max(0, 5_000 - (performance.now() - startMs)))
  bao.resume()
  await expectBack(uncached, 4_000)
})

test('a network that swallows everything, then does not', async () => {
  const [cached, uncached] = await twoSecrets()
  network.swallow(true)
  await expectAway(cached, uncached)
  network.swallow(false)
  await expectBack(uncached, 4_000)
})

test('a token that is revoked under load is replaced by one login, not by one for each call', async () => {
  const [, uncached] = await twoSecrets()
  const before = bao.audited('auth/approle/login')
  const { data = {} } = await bao.ask('LIST', 'auth/token/accessors')
  for (const accessor of data.keys as string[]) {
    const { data: about } = await bao.ask('POST', 'auth/token/lookup-accessor', { accessor })
    if (String(about?.path) === 'auth/approle/login') await bao.ask('POST', 'auth/token/revoke-accessor', { accessor })
  }
  await Promise.all(Array.from({ length: 60 }, () => read(uncached).catch(() => undefined)))
  await expectBack(uncached, 3_000)
  expect(bao.audited('auth/approle/login') - before).toBeLessThanOrEqual(2)
})
