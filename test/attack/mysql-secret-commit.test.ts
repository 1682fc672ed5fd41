import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { AuditService } from '../../src/gen/tenure/v1/audit_service_pb.ts'
import { SecretService } from '../../src/gen/tenure/v1/secret_service_pb.ts'
import { TokenService } from '../../src/gen/tenure/v1/token_service_pb.ts'
import { isCommit, mysqlErrorPacket } from '../rigs/mysql/mysql-packets.ts'
import { type FaultProxy, openFaultProxy } from '../rigs/tcp-fault-proxy.ts'
import { seedPermissions, seedTenant, type TenantFixture } from '../support/fixture.ts'
import { reasonOf } from '../support/reason.ts'
import { openSideDoor, type SideDoor } from '../support/side-door.ts'
import { databaseUrlOf, ensureDatabase, mysqlAdministrator } from '../support/test-database.ts'
import { startTestServer, type TestServer } from '../support/test-server.ts'

let folder: string
let network: FaultProxy
let server: TestServer
let rows: SideDoor
let acme: TenantFixture

const prod = 'tenants/acme/workspaces/prod'

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tenure-commit-'))
  await ensureDatabase(databaseUrlOf(folder))
  network = await openFaultProxy(mysqlAdministrator())
  const url = new URL(databaseUrlOf(folder))
  url.host = `${network.host}:${network.port}`
  server = await startTestServer({ folder, env: { TENURE_DATABASE_URL: url.href } })
  rows = await openSideDoor(databaseUrlOf(folder))
  await seedPermissions(server)
  acme = await seedTenant(server, 'acme')
})

afterAll(async () => {
  await rows?.[Symbol.asyncDispose]()
  await server?.[Symbol.asyncDispose]()
  await network?.[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true, force: true })
})

const secrets = () => server.client(SecretService, acme.ownerKey)

type Moment = 'before' | 'after'
const faults: readonly (readonly [string, Moment | 'deadlock'])[] = [
  ['is cut before its COMMIT is delivered', 'before'],
  ['is cut after its COMMIT, before the answer', 'after'],
  ['is answered by a deadlock at COMMIT', 'deadlock'],
]

/** Strikes the first COMMIT after a journal row of this event has been sent. Answers how often it struck. */
function strikeCommitOf(event: string, fault: Moment | 'deadlock'): () => number {
  let writing = false
  let struck = 0
  const isTheCommit = (bytes: Buffer) => {
    writing ||= bytes.includes(event)
    if (!writing || struck > 0 || !isCommit(bytes)) return false
    struck += 1
    return true
  }
  if (fault === 'deadlock') {
    network.replyWith(isTheCommit, () => mysqlErrorPacket(1, 1213, '40001', 'Deadlock found when trying to get lock'))
  } else {
    network.cutWhen((bytes, direction) => (direction === 'toServer' && isTheCommit(bytes) ? fault : undefined))
  }
  return () => struck
}

let made = 0

async function newSecret(): Promise<string> {
  made += 1
  const { secret } = await secrets().createSecret({ parent: prod, secretId: `commit-${made}` })
  return secret?.name ?? ''
}

async function eventsOf(event: string, target: string) {
  const filter = `event = "${event}" AND target = "${target}"`
  const audit = server.client(AuditService, acme.ownerKey)
  return (await audit.listAuditEvents({ parent: acme.name, filter, pageSize: 1_000 })).auditEvents
}

async function expectEveryChainVerifies(): Promise<void> {
  const chains = await rows.all('SELECT DISTINCT chain FROM journal WHERE tenant_id = ?', [acme.uid])
  expect(chains.length).toBeGreaterThan(2)
  for (const { chain } of chains) {
    const verdict = await server.client(AuditService).verifyAuditChain({ parent: acme.name, chain: String(chain) })
    expect([chain, verdict.valid]).toEqual([chain, true])
  }
}

test.each(faults)('a version whose connection %s is made once, with its value and one event', async (_what, fault) => {
  const parent = await newSecret()
  await secrets().addSecretVersion({ parent, payload: Buffer.from('first') })
  const struck = strikeCommitOf('secrets.addVersion', fault)
  const request = { parent, payload: Buffer.from(`value through ${fault}`), requestId: `add-${fault}` }
  const outcome = await reasonOf(secrets().addSecretVersion(request))
  expect(struck()).toBe(1)
  expect(['OK', 'DATABASE_UNAVAILABLE']).toContain(outcome)
  const { secretVersion } = await secrets().addSecretVersion(request)
  expect(secretVersion?.name).toBe(`${parent}/versions/2`)
  const { secret } = await secrets().getSecret({ name: parent })
  expect([secret?.latestVersion, secret?.versionCount]).toEqual([2n, 2n])
  const { payload } = await secrets().accessSecretVersion({ name: `${parent}/versions/2` })
  expect(Buffer.from(payload).toString()).toBe(`value through ${fault}`)
  expect(await eventsOf('secrets.addVersion', `${parent}/versions/2`)).toHaveLength(1)
  await expectEveryChainVerifies()
})

test.each(faults)(
  'of versions added at once, one of which %s, none is lost, doubled or left out of the numbers',
  async (_what, fault) => {
    const parent = await newSecret()
    const struck = strikeCommitOf('secrets.addVersion', fault)
    const requests = Array.from({ length: 12 }, (_, at) => ({
      ...{ parent, payload: Buffer.from(`value ${at} ${fault}`), requestId: `many-${fault}-${at}` },
    }))
    await Promise.all(requests.map((request) => reasonOf(secrets().addSecretVersion(request))))
    expect(struck()).toBe(1)
    const answers = await Promise.all(requests.map((request) => secrets().addSecretVersion(request)))
    const names = answers.map(({ secretVersion }) => secretVersion?.name ?? '')
    expect([...names].sort()).toEqual(requests.map((_, at) => `${parent}/versions/${at + 1}`).sort())
    for (const [at, name] of names.entries()) {
      const { payload } = await secrets().accessSecretVersion({ name })
      expect(Buffer.from(payload).toString()).toBe(`value ${at} ${fault}`)
      expect(await eventsOf('secrets.addVersion', name)).toHaveLength(1)
    }
    await expectEveryChainVerifies()
  },
)

test.each(faults)(
  'a version that nobody can ask for again, and whose connection %s, is made once',
  async (_what, fault) => {
    const parent = await newSecret()
    const struck = strikeCommitOf('secrets.addVersion', fault)
    const outcome = await reasonOf(secrets().addSecretVersion({ parent, payload: Buffer.from('without a request id') }))
    expect([struck(), outcome]).toEqual([1, 'OK'])
    const { secretVersions } = await secrets().listSecretVersions({ parent })
    expect(secretVersions.map(({ name }) => name)).toEqual([`${parent}/versions/1`])
    expect(await eventsOf('secrets.addVersion', `${parent}/versions/1`)).toHaveLength(1)
  },
)

test.each(faults)('a destruction whose connection %s is done once', async (_what, fault) => {
  const parent = await newSecret()
  const { secretVersion } = await secrets().addSecretVersion({ parent, payload: Buffer.from('to be gone') })
  const request = { name: secretVersion?.name ?? '', requestId: `destroy-${fault}` }
  const struck = strikeCommitOf('secrets.destroyVersion', fault)
  await reasonOf(secrets().destroySecretVersion(request))
  expect(struck()).toBe(1)
  await secrets().destroySecretVersion(request)
  expect(await reasonOf(secrets().accessSecretVersion({ name: request.name }))).toBe('INVALID_STATE')
  expect(await eventsOf('secrets.destroyVersion', request.name)).toHaveLength(1)
})

test.each(faults)(
  'when what accesses are written with %s, every value and token that leaves is written down once',
  async (_what, fault) => {
    const parent = await newSecret()
    await secrets().addSecretVersion({ parent, payload: Buffer.from('a value') })
    const target = `${parent}/versions/1`
    const answered: string[] = []
    const onHeader = (headers: Headers) => void answered.push(headers.get('tenure-request-id') ?? '')
    const ask = async (at: number) => {
      const call =
        at % 4 === 0
          ? server.client(TokenService, acme.ownerKey).issueToken({ parent: acme.name }, { onHeader })
          : secrets().accessSecretVersion({ name: target }, { onHeader })
      return reasonOf(call)
    }
    const struck = strikeCommitOf('secrets.access', fault)
    const outcomes = await Promise.all(Array.from({ length: 40 }, (_, at) => ask(at)))
    expect(struck()).toBe(1)
    // A caller that is refused has no headers of an answer.
    expect(answered).toHaveLength(outcomes.filter((outcome) => outcome === 'OK').length)
    expect(answered.length).toBeGreaterThan(20)
    expect(new Set(outcomes.filter((outcome) => outcome !== 'OK' && outcome !== 'DATABASE_UNAVAILABLE'))).toEqual(
      new Set(),
    )
    const events = [
      ...(await eventsOf('secrets.access', target)),
      ...(await eventsOf('tokens.issue', 'tenants/acme/serviceAccounts/owner-bot')),
    ]
    const perCall = new Map<string, number>()
    for (const { requestId } of events) perCall.set(requestId, (perCall.get(requestId) ?? 0) + 1)
    expect([...perCall.values()].filter((times) => times !== 1)).toEqual([])
    expect(answered.filter((id) => !perCall.has(id))).toEqual([])
    await expectEveryChainVerifies()
  },
)
