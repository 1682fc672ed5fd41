import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { crc32c } from '../../src/base/crc32c.ts'
import { AuditService } from '../../src/gen/tenure/v1/audit_service_pb.ts'
import { MembershipService } from '../../src/gen/tenure/v1/membership_service_pb.ts'
import { SecretVersion_State } from '../../src/gen/tenure/v1/secret_pb.ts'
import { SecretService } from '../../src/gen/tenure/v1/secret_service_pb.ts'
import { ServiceAccountService } from '../../src/gen/tenure/v1/service_account_service_pb.ts'
import { WorkspaceService } from '../../src/gen/tenure/v1/workspace_service_pb.ts'
import { seedKey, seedPermissions, seedTenant, type TenantFixture } from '../support/fixture.ts'
import { reasonOf } from '../support/reason.ts'
import { openSideDoor, type SideDoor } from '../support/side-door.ts'
import { startTestServer, type TestServer } from '../support/test-server.ts'

let server: TestServer
let rows: SideDoor
let acme: TenantFixture
let globex: TenantFixture

beforeAll(async () => {
  server = await startTestServer()
  rows = await openSideDoor(server.databaseUrl)
  await seedPermissions(server)
  acme = await seedTenant(server, 'acme')
  globex = await seedTenant(server, 'globex')
})

afterAll(async () => {
  await rows[Symbol.asyncDispose]()
  await server[Symbol.asyncDispose]()
})

const { ENABLED, DISABLED, DESTROYED } = SecretVersion_State
const secrets = (key = acme.ownerKey) => server.client(SecretService, key)
const prod = 'tenants/acme/workspaces/prod'

let made = 0

async function newSecret(parent = prod, key = acme.ownerKey): Promise<string> {
  made += 1
  const secretId = `secret-${made}`
  const { secret } = await secrets(key).createSecret({ parent, secretId })
  return secret?.name ?? ''
}

const add = async (parent: string, payload: Uint8Array, key = acme.ownerKey) =>
  (await secrets(key).addSecretVersion({ parent, payload })).secretVersion

async function payloadOf(name: string, key = acme.ownerKey): Promise<string> {
  return Buffer.from((await secrets(key).accessSecretVersion({ name })).payload).toString()
}

test('a value comes out as it went in, by number and as the latest, with its checksum', async () => {
  const parent = await newSecret()
  const values = [Buffer.from('first'), randomBytes(65_536), Buffer.of(0)]
  for (const [at, payload] of values.entries()) {
    expect(await add(parent, payload)).toMatchObject({ name: `${parent}/versions/${at + 1}`, state: ENABLED })
  }
  for (const [at, payload] of values.entries()) {
    const found = await secrets().accessSecretVersion({ name: `${parent}/versions/${at + 1}` })
    expect([Buffer.from(found.payload).equals(payload), found.payloadCrc32c]).toEqual([true, crc32c(payload)])
  }
  const latest = await secrets().accessSecretVersion({ name: `${parent}/versions/latest` })
  expect([latest.name, latest.payload]).toEqual([`${parent}/versions/3`, Uint8Array.of(0)])
  expect((await secrets().getSecret({ name: parent })).secret).toMatchObject({ latestVersion: 3n, versionCount: 3n })
})

test('a value that is empty, too large or damaged on its way is refused, and no version is made of it', async () => {
  const parent = await newSecret()
  for (const payload of [Buffer.of(), randomBytes(65_537)]) {
    expect(await reasonOf(secrets().addSecretVersion({ parent, payload }))).toBe('INVALID_FIELD')
  }
  const payload = Buffer.from('value')
  const damaged = { parent, payload, payloadCrc32c: (crc32c(payload) ^ 1) >>> 0 }
  expect(await reasonOf(secrets().addSecretVersion(damaged))).toBe('INVALID_FIELD')
  await secrets().addSecretVersion({ parent, payload, payloadCrc32c: crc32c(payload) })
  expect((await secrets().getSecret({ name: parent })).secret?.latestVersion).toBe(1n)
})

test('who expects another latest version than there is adds none', async () => {
  const parent = await newSecret()
  const payload = Buffer.from('value')
  await secrets().addSecretVersion({ parent, payload, expectedLatest: '0' })
  expect(await reasonOf(secrets().addSecretVersion({ parent, payload, expectedLatest: '0' }))).toBe('ETAG_MISMATCH')
  const both = ['1', '1'].map((expectedLatest) => secrets().addSecretVersion({ parent, payload, expectedLatest }))
  const outcomes = (await Promise.allSettled(both)).map(({ status }) => status)
  expect(outcomes.sort()).toEqual(['fulfilled', 'rejected'])
})

test('a repeated request id adds one version', async () => {
  const parent = await newSecret()
  const request = { parent, payload: Buffer.from('value'), requestId: 'once' }
  const [first, again] = [await secrets().addSecretVersion(request), await secrets().addSecretVersion(request)]
  expect(again).toEqual(first)
  expect(await reasonOf(secrets().addSecretVersion({ ...request, payload: Buffer.from('other') }))).toBe(
    'REQUEST_ID_REUSED',
  )
  expect((await secrets().getSecret({ name: parent })).secret?.versionCount).toBe(1n)
})

test('versions added at once by many callers have numbers without gap, and each its own value', async () => {
  const parents = [await newSecret(), await newSecret()]
  const count = 20
  const added = await Promise.all(
    Array.from({ length: count }, (_, at) => add(parents[at % 2] ?? '', Buffer.from(`value ${at}`))),
  )
  for (const [at, version] of added.entries()) expect(await payloadOf(version?.name ?? '')).toBe(`value ${at}`)
  for (const parent of parents) {
    const { secretVersions } = await secrets().listSecretVersions({ parent, orderBy: 'name' })
    expect(secretVersions.map(({ name }) => name)).toEqual(
      Array.from({ length: count / 2 }, (_, at) => `${parent}/versions/${at + 1}`),
    )
  }
})

test('a disabled version cannot be had until it is enabled, a destroyed one never again and its value is gone from the rows', async () => {
  const parent = await newSecret()
  const version = await add(parent, Buffer.from('value'))
  const name = version?.name ?? ''
  const { secretVersion } = await secrets().disableSecretVersion({ name, etag: version?.etag ?? '' })
  expect(secretVersion?.state).toBe(DISABLED)
  for (const which of [name, `${parent}/versions/latest`])
    expect(await reasonOf(payloadOf(which))).toBe('INVALID_STATE')
  expect(await reasonOf(secrets().disableSecretVersion({ name }))).toBe('INVALID_STATE')
  await secrets().enableSecretVersion({ name })
  expect(await payloadOf(name)).toBe('value')
  expect(await reasonOf(secrets().destroySecretVersion({ name, etag: version?.etag ?? '' }))).toBe('ETAG_MISMATCH')
  const destroyed = await secrets().destroySecretVersion({ name })
  expect(destroyed.secretVersion).toMatchObject({ state: DESTROYED, destroyTime: expect.anything() })
  expect(await reasonOf(payloadOf(name))).toBe('INVALID_STATE')
  expect(await reasonOf(secrets().enableSecretVersion({ name }))).toBe('INVALID_STATE')
  const stored = await rows.all('SELECT envelope FROM secret_versions WHERE secret_version_id = ?', [
    version?.uid ?? '',
  ])
  expect(stored).toEqual([{ envelope: null }])
  expect((await add(parent, Buffer.from('next')))?.name).toBe(`${parent}/versions/2`)
})

test('a deleted secret is gone with its versions, and its name is never given again', async () => {
  const name = await newSecret()
  await add(name, Buffer.from('value'))
  const { secret } = await secrets().getSecret({ name })
  await secrets().deleteSecret({ name, etag: secret?.etag ?? '' })
  expect(await reasonOf(secrets().getSecret({ name }))).toBe('NOT_FOUND')
  expect(await reasonOf(payloadOf(`${name}/versions/1`))).toBe('NOT_FOUND')
  expect(await reasonOf(secrets().listSecretVersions({ parent: name }))).toBe('NOT_FOUND')
  const left = await rows.all('SELECT number FROM secret_versions WHERE secret_id = ?', [secret?.uid ?? ''])
  expect(left).toEqual([])
  const secretId = name.split('/').at(-1) ?? ''
  expect(await reasonOf(secrets().createSecret({ parent: prod, secretId }))).toBe('NAME_RETIRED')
  // Another workspace has names of its own.
  await secrets().createSecret({ parent: 'tenants/acme/workspaces/test', secretId })
})

test('lists are of one workspace and one secret, in pages', async () => {
  const parent = 'tenants/globex/workspaces/test'
  const names = [await newSecret(parent, globex.ownerKey), await newSecret(parent, globex.ownerKey)]
  const first = await secrets(globex.ownerKey).listSecrets({ parent, pageSize: 1, orderBy: 'create_time' })
  const second = await secrets(globex.ownerKey).listSecrets({
    parent,
    pageSize: 1,
    orderBy: 'create_time',
    pageToken: first.nextPageToken,
  })
  expect([...first.secrets, ...second.secrets].map(({ name }) => name)).toEqual(names)
  for (let at = 0; at < 12; at += 1) await add(names[0] ?? '', Buffer.from('v'), globex.ownerKey)
  let pageToken = ''
  const numbers: string[] = []
  do {
    const page = await secrets(globex.ownerKey).listSecretVersions({
      ...{ parent: names[0] ?? '', pageSize: 5, orderBy: 'name desc', pageToken },
    })
    numbers.push(...page.secretVersions.map(({ name }) => name.split('/').at(-1) ?? ''))
    pageToken = page.nextPageToken
  } while (pageToken !== '')
  expect(numbers).toEqual(Array.from({ length: 12 }, (_, at) => String(12 - at)))
})

test('who may look at secrets may not have their values', async () => {
  const name = await newSecret()
  await add(name, Buffer.from('value'))
  const account = `${acme.name}/serviceAccounts/looker`
  await server.client(ServiceAccountService).createServiceAccount({ parent: acme.name, serviceAccountId: 'looker' })
  await server.client(MembershipService).createMembership({
    parent: prod,
    membershipId: 'looker',
    membership: { member: { case: 'serviceAccount', value: account }, roles: ['roles/viewer'] },
  })
  const key = await seedKey(server, acme.name, account)
  expect((await secrets(key).getSecret({ name })).secret?.name).toBe(name)
  expect((await secrets(key).listSecretVersions({ parent: name })).secretVersions).toHaveLength(1)
  expect(await reasonOf(payloadOf(`${name}/versions/1`, key))).toBe('PERMISSION_MISSING')
  expect(await reasonOf(add(name, Buffer.from('mine'), key))).toBe('PERMISSION_MISSING')
  expect(await reasonOf(payloadOf(`${name}/versions/1`, acme.viewerKey))).toBe('NOT_FOUND')
  expect(await payloadOf(`${name}/versions/1`, acme.prodKey)).toBe('value')
  const elsewhere = await newSecret('tenants/acme/workspaces/test')
  expect(await reasonOf(secrets(acme.prodKey).getSecret({ name: elsewhere }))).toBe('NOT_FOUND')
})

test('every value that was had is in the audit log by its number, and every change in the chain of its workspace', async () => {
  const name = await newSecret()
  await add(name, Buffer.from('value'))
  await payloadOf(`${name}/versions/latest`)
  await secrets().deleteSecret({ name })
  const audit = server.client(AuditService, acme.ownerKey)
  const { auditEvents } = await audit.listAuditEvents({
    parent: prod,
    filter: `target = "${name}*"`,
    orderBy: 'event_time',
  })
  expect(auditEvents.map(({ event, target }) => [event, target])).toEqual([
    ['secrets.create', name],
    ['secrets.addVersion', `${name}/versions/1`],
    ['secrets.access', `${name}/versions/1`],
    ['secrets.delete', name],
  ])
  const { workspace } = await server.client(WorkspaceService).getWorkspace({ name: prod })
  const chains = new Set(auditEvents.map(({ chain }) => chain))
  expect([...chains]).toEqual([`workspace/${workspace?.uid}`, 'access/replica-1'])
  for (const chain of chains) {
    const verdict = await audit.verifyAuditChain({ parent: 'tenants/acme', chain })
    expect([verdict.valid, verdict.verifiedCount > 1n]).toEqual([true, true])
  }
})

test('no value stands anywhere in the database, in any form a value can be recognised by', async () => {
  const value = `plain-${randomBytes(24).toString('hex')}`
  const name = await newSecret()
  await secrets().addSecretVersion({ parent: name, payload: Buffer.from(value), requestId: 'kept-for-replay' })
  await payloadOf(`${name}/versions/1`)
  const forms = [value, Buffer.from(value).toString('base64').slice(0, 40), Buffer.from(value).toString('hex')]
  for (const table of ['secrets', 'secret_versions', 'journal']) {
    for (const row of await rows.all(`SELECT * FROM ${table}`, [])) {
      const text = Object.values(row)
        .map((cell) => (cell instanceof Uint8Array ? Buffer.from(cell).toString('latin1') : String(cell)))
        .join('\n')
      for (const form of forms) expect(text).not.toContain(form)
    }
  }
})

/** Copies what was sealed at one place over what was sealed at another, behind the server's back. */
async function copyEnvelope(fromUid: string, toUid: string): Promise<void> {
  const [from] = await rows.all('SELECT envelope FROM secret_versions WHERE secret_version_id = ?', [fromUid])
  await rows.run('UPDATE secret_versions SET envelope = ? WHERE secret_version_id = ?', [
    from?.envelope as Uint8Array,
    toUid,
  ])
}

test('a ciphertext copied to another version, secret, workspace or tenant does not open; the tenant hears of it and the caller of nothing', async () => {
  const home = await newSecret()
  const source = await add(home, Buffer.from('the value'))
  const places: [string, string][] = [
    [home, acme.ownerKey],
    [await newSecret(), acme.ownerKey],
    [await newSecret('tenants/acme/workspaces/test'), acme.ownerKey],
    [await newSecret('tenants/globex/workspaces/prod', globex.ownerKey), globex.ownerKey],
  ]
  for (const [parent, key] of places) {
    const target = await add(parent, Buffer.from('another value'), key)
    await copyEnvelope(source?.uid ?? '', target?.uid ?? '')
    const name = target?.name ?? ''
    const failure = await secrets(key)
      .accessSecretVersion({ name })
      .then(
        () => undefined,
        (error: Error) => error,
      )
    expect(await reasonOf(Promise.reject(failure))).toBe('INTERNAL')
    expect(failure?.message).not.toMatch(/cipher|seal|key|decrypt/i)
    const parts = parent.split('/').slice(0, 4).join('/')
    const { auditEvents } = await server
      .client(AuditService, key)
      .listAuditEvents({ parent: parts, filter: `event = "secrets.access" AND target = "${name}"` })
    expect(auditEvents.map(({ reason }) => reason)).toEqual(['BAD_CIPHERTEXT'])
  }
  expect(await payloadOf(source?.name ?? '')).toBe('the value')
})
