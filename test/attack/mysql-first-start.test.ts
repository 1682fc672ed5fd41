import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createClient } from '@connectrpc/connect'
import { createConnectTransport } from '@connectrpc/connect-node'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { bootstrapRootKey } from '../../src/bootstrap.ts'
import { TenantService } from '../../src/gen/tenure/v1/tenant_service_pb.ts'
import { TokenService } from '../../src/gen/tenure/v1/token_service_pb.ts'
import { UserService } from '../../src/gen/tenure/v1/user_service_pb.ts'
import { openVerificationKeys } from '../../src/jwt/verification-keys.ts'
import { verifyTenantToken } from '../../src/jwt/verify-tenant-token.ts'
import { silentLog } from '../../src/observe/log.ts'
import { openPlatform } from '../../src/platform.ts'
import { createRuntime, type Server, startServer } from '../../src/server.ts'
import { openFaultProxy } from '../rigs/tcp-fault-proxy.ts'
import { type ChildServer, childEnvironment, endChild, runTenure, startChild } from '../support/child-server.ts'
import { codeAnchors, forgetAnchor } from '../support/keyring-anchor.ts'
import { openSideDoor } from '../support/side-door.ts'
import { databaseUrlOf, ensureDatabase, mysqlAdministrator } from '../support/test-database.ts'
import { ensureKeyring, keyringSettingsOf } from '../support/test-keyring.ts'
import { testConfig } from '../support/test-server.ts'

const issuer = 'https://tenure.example'

let folder: string
let stack: AsyncDisposableStack

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tenure-first-'))
  stack = new AsyncDisposableStack()
  stack.defer(() => rmSync(folder, { recursive: true, force: true }))
  await Promise.all([ensureDatabase(databaseUrlOf(folder)), ensureKeyring(keyringSettingsOf(folder))])
})

afterEach(() => stack.disposeAsync())

interface Stored {
  readonly signingKeys: number
  readonly sealedKeys: number
  readonly creations: number
}

async function stored(): Promise<Stored> {
  await using rows = await openSideDoor(databaseUrlOf(folder))
  const count = async (sql: string) => Number((await rows.all(sql))[0]?.n)
  return {
    signingKeys: await count('SELECT count(*) AS n FROM signing_keys'),
    sealedKeys: await count('SELECT count(*) AS n FROM sealed_keys'),
    creations: await count("SELECT count(*) AS n FROM directory_journal WHERE event = 'signingKeys.create'"),
  }
}

function clientsOf(httpUrl: string) {
  const key = readFileSync(join(folder, 'root-api-key'), 'utf8').trim()
  const transport = createConnectTransport({
    ...{ baseUrl: httpUrl, httpVersion: '1.1' as const },
    interceptors: [
      (next) => (request) => {
        request.header.set('authorization', `Bearer ${key}`)
        return next(request)
      },
    ],
  })
  return {
    tenants: createClient(TenantService, transport),
    users: createClient(UserService, transport),
    tokens: createClient(TokenService, transport),
  }
}

/** A token of each, looked at with what each publishes. */
async function expectOneFamily(httpUrls: readonly string[]): Promise<void> {
  expect(await stored()).toEqual({ signingKeys: 1, sealedKeys: 4, creations: 1 })
  const initialOwner = { issuer: 'https://idp.example', subject: 'owner', email: 'owner@acme.example' }
  await clientsOf(httpUrls[0] ?? '').tenants.createTenant({ tenantId: 'acme', initialOwner })
  const principal = { kind: { case: 'identity' as const, value: { issuer: initialOwner.issuer, subject: 'owner' } } }
  for (const made of httpUrls) {
    const { token } = await clientsOf(made).tokens.issueToken({ parent: 'tenants/acme', principal })
    for (const read of httpUrls) {
      const keys = await openVerificationKeys(await (await fetch(`${read}/.well-known/jwks.json`)).json())
      expect(keys?.size).toBe(1)
      const options = { issuer, audience: 'tenure', nowMs: Date.now(), clockToleranceSeconds: 0 }
      const { tenant } = await verifyTenantToken(token, { ...options, keyOf: (kid) => keys?.get(kid) })
      expect(tenant).toBe('acme')
    }
  }
  await expectPagesShared(httpUrls)
}

/** Page tokens are sealed with the other key that a first start makes. */
async function expectPagesShared([one = '', ...others]: readonly string[]): Promise<void> {
  await clientsOf(one).users.createUser({
    ...{ parent: 'tenants/acme', userId: 'second', user: { issuer: 'https://idp.example', subject: 'second' } },
  })
  const page = { parent: 'tenants/acme', pageSize: 1 }
  const { nextPageToken } = await clientsOf(one).users.listUsers(page)
  expect(nextPageToken).not.toBe('')
  for (const other of others) {
    const { users } = await clientsOf(other).users.listUsers({ ...page, pageToken: nextPageToken })
    expect(users).toHaveLength(1)
  }
}

const overrides = { log: silentLog }
const configOf = (replica: string, more: Readonly<Record<string, string>> = {}) =>
  testConfig(folder, { TENURE_REPLICA: replica, TENURE_ISSUER: issuer, ...more })

/** The root key and nothing else: what a server needs beside it, the first one makes. */
async function bootstrap(): Promise<void> {
  const config = configOf('first')
  const runtime = createRuntime(config, overrides)
  await using platform = await openPlatform(config, runtime)
  await bootstrapRootKey(platform, runtime, config)
}

const urlOf = ({ httpPort }: Server) => `http://127.0.0.1:${httpPort}`

test.each([1, 2])(
  'servers that start at once on an empty database have one signing key and one page key (round %i)',
  async () => {
    await bootstrap()
    const settled = await Promise.allSettled(
      ['one', 'two', 'three', 'four'].map((replica) => startServer(configOf(replica), overrides)),
    )
    const servers: Server[] = []
    for (const start of settled) if (start.status === 'fulfilled') servers.push(stack.use(start.value))
    expect(settled.filter(({ status }) => status === 'rejected')).toEqual([])
    await expectOneFamily(servers.map(urlOf))
  },
)

test.each([
  ['signing key', 'FROM `signing_keys`'],
  ['page key', 'page-token'],
  ['key of row codes', 'row-code'],
  ['key of place codes', 'place-code'],
  ['key of operation codes', 'operation-code'],
])(
  'a server that starts after another has found no %s and before it writes one makes no key beside it',
  async (_what, lookedFor) => {
    await bootstrap()
    {
      await using rows = await openSideDoor(databaseUrlOf(folder))
      await rows.run('DELETE FROM sealed_keys')
      for (const anchor of codeAnchors) await forgetAnchor(configOf('first'), anchor)
    }
    const network = stack.use(await openFaultProxy(mysqlAdministrator()))
    const url = new URL(databaseUrlOf(folder))
    url.host = `${network.host}:${network.port}`
    const begun = Promise.withResolvers<void>()
    let hasLooked = false
    let hasEnded = false
    let isOver = false
    network.cutWhen((bytes, direction) => {
      if (direction === 'toClient' || isOver) return undefined
      // The first word of the transaction that writes, which holds no lock yet.
      if (hasEnded) {
        network.hold(true)
        begun.resolve()
      }
      // Reads end so.
      hasEnded ||= hasLooked && bytes.includes('ROLLBACK')
      hasLooked ||= bytes.includes(lookedFor)
      return undefined
    })
    const first = startServer(configOf('one', { TENURE_DATABASE_URL: url.href }), overrides)
    await begun.promise
    const second = startServer(configOf('two'), overrides)
    // Long enough to make keys, if nothing keeps it from that.
    await Promise.race([second.catch(() => undefined), sleep(1_500)])
    isOver = true
    network.hold(false)
    const servers = [stack.use(await first), stack.use(await second)]
    await expectOneFamily(servers.map(urlOf))
  },
)

test('so have two processes', async () => {
  const envOf = (replica: string) => childEnvironment(folder, { TENURE_REPLICA: replica, TENURE_ISSUER: issuer })
  expect((await runTenure(['bootstrap'], envOf('first'))).code).toBe(0)
  const children: ChildServer[] = await Promise.all(['one', 'two'].map((replica) => startChild(envOf(replica))))
  for (const child of children) stack.defer(async () => void (await endChild(child, 'SIGTERM')))
  await expectOneFamily(children.map(({ httpUrl }) => httpUrl))
})
