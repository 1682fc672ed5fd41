import { fromBinary, toBinary } from '@bufbuild/protobuf'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { type SealedEnvelope, SealedEnvelopeSchema } from '../../src/gen/tenure/internal/v1/sealed_envelope_pb.ts'
import { AuditService } from '../../src/gen/tenure/v1/audit_service_pb.ts'
import { SecretService } from '../../src/gen/tenure/v1/secret_service_pb.ts'
import { WorkspaceService } from '../../src/gen/tenure/v1/workspace_service_pb.ts'
import { silentLog } from '../../src/observe/log.ts'
import { openKeyring } from '../../src/platform-keys.ts'
import { createRuntime } from '../../src/server.ts'
import { seedPermissions, seedTenant, type TenantFixture } from '../support/fixture.ts'
import { reasonOf } from '../support/reason.ts'
import { openSideDoor, type SideDoor } from '../support/side-door.ts'
import { startTestServer, type TestServer } from '../support/test-server.ts'

// What somebody who writes to the rows can make of ciphertexts and wrapped data keys, on whatever keyring there is.

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

interface Sealed {
  /** Of the version. */
  readonly name: string
  readonly uid: string
  readonly parent: string
  readonly value: string
  readonly ownerKey: string
}

let made = 0

async function newSealed(place: string, ownerKey: string): Promise<Sealed> {
  made += 1
  const secrets = server.client(SecretService, ownerKey)
  const { secret } = await secrets.createSecret({ parent: place, secretId: `shared-${made}` })
  return addTo(secret?.name ?? '', ownerKey)
}

async function addTo(parent: string, ownerKey: string): Promise<Sealed> {
  made += 1
  const value = `value ${made}`
  const secrets = server.client(SecretService, ownerKey)
  const { secretVersion } = await secrets.addSecretVersion({ parent, payload: Buffer.from(value) })
  return { name: secretVersion?.name ?? '', uid: secretVersion?.uid ?? '', parent, value, ownerKey }
}

const access = async ({ name, ownerKey }: Pick<Sealed, 'name' | 'ownerKey'>) =>
  Buffer.from((await server.client(SecretService, ownerKey).accessSecretVersion({ name })).payload).toString()

async function envelopeOf({ uid }: Sealed): Promise<SealedEnvelope> {
  const [row] = await rows.all('SELECT envelope FROM secret_versions WHERE secret_version_id = ?', [uid])
  return fromBinary(SealedEnvelopeSchema, row?.envelope as Uint8Array)
}

async function store({ uid }: Sealed, envelope: SealedEnvelope): Promise<void> {
  const bytes = toBinary(SealedEnvelopeSchema, envelope)
  await rows.run('UPDATE secret_versions SET envelope = ? WHERE secret_version_id = ?', [bytes, uid])
}

/** Nothing opens, the caller learns nothing of why, and the tenant finds it in its audit log. */
async function expectClosed(at: Pick<Sealed, 'name' | 'ownerKey'>, what: string): Promise<void> {
  const failure: unknown = await access(at).then(
    (value) => new Error(`opened as ${value}`),
    (error: unknown) => error,
  )
  expect([what, await reasonOf(Promise.reject(failure))]).toEqual([what, 'INTERNAL'])
  expect(String(failure)).not.toMatch(/cipher|seal|decrypt|wrap|version \d|keyring|vault/i)
  const filter = `event = "secrets.access" AND target = "${at.name}"`
  const audit = server.client(AuditService, at.ownerKey)
  const parent = at.name.split('/').slice(0, 2).join('/')
  const { auditEvents } = await audit.listAuditEvents({ parent, filter, pageSize: 1, orderBy: 'event_time desc' })
  expect([what, auditEvents[0]?.reason]).toEqual([what, 'BAD_CIPHERTEXT'])
}

const prod = 'tenants/acme/workspaces/prod'
let target: Sealed
let others: (readonly [string, Sealed])[]

beforeEach(async () => {
  target = await newSealed(prod, acme.ownerKey)
  others = [
    ['another version of the secret', await addTo(target.parent, acme.ownerKey)],
    ['another secret of the workspace', await newSealed(prod, acme.ownerKey)],
    ['another workspace', await newSealed('tenants/acme/workspaces/test', acme.ownerKey)],
    ['another tenant', await newSealed('tenants/globex/workspaces/prod', globex.ownerKey)],
  ]
})

test.each([false, true])(
  'a wrapped data key put in the place of another opens nothing, whether its data key is held (%s) or not',
  async (isHeld) => {
    const own = await envelopeOf(target)
    if (isHeld) for (const [, other] of others) expect(await access(other)).toBe(other.value)
    if (isHeld) expect(await access(target)).toBe(target.value)
    for (const [where, other] of others) {
      const theirs = await envelopeOf(other)
      const games: readonly (readonly [string, SealedEnvelope])[] = [
        [`data key of ${where}`, { ...own, wrappedDataKey: theirs.wrappedDataKey }],
        [
          `data key of ${where} with its key id`,
          { ...own, ...{ wrappedDataKey: theirs.wrappedDataKey, keyId: theirs.keyId } },
        ],
        [`ciphertext of ${where} under the own data key`, { ...theirs, wrappedDataKey: own.wrappedDataKey }],
        [
          `ciphertext and nonce of ${where} in the own envelope`,
          { ...own, ...{ nonce: theirs.nonce, ciphertext: theirs.ciphertext } },
        ],
        [`all of ${where} but the key id`, { ...theirs, keyId: own.keyId }],
        [`all of ${where}`, theirs],
      ]
      for (const [what, envelope] of games) {
        await store(target, envelope)
        await expectClosed(target, what)
      }
    }
    await store(target, own)
    expect(await access(target)).toBe(target.value)
  },
)

test('a wrapped data key opens nothing under another version of its key, made or not', async () => {
  const config = server.config
  const [, elsewhere] = others[1] ?? others[0] ?? []
  if (elsewhere === undefined) throw new Error('there is no other secret')
  const { workspace } = await server.client(WorkspaceService).getWorkspace({ name: prod })
  {
    await using keyring = await openKeyring(config, createRuntime(config, { log: silentLog }))
    expect((await keyring.rotateKey(`workspace-${workspace?.uid}`)).versions.length).toBeGreaterThan(1)
  }
  const old = await envelopeOf(target)
  const later = await addTo(target.parent, acme.ownerKey)
  const fresh = await envelopeOf(later)
  expect(fresh.keyVersion).toBe(old.keyVersion + 1)
  expect([await access(target), await access(later)]).toEqual([target.value, later.value])
  const versions = [0, fresh.keyVersion, fresh.keyVersion + 1, 999_999_999, 4_294_967_295]
  for (const keyVersion of versions) {
    await store(target, { ...old, keyVersion })
    await expectClosed(target, `version ${keyVersion}`)
  }
  await store(later, { ...fresh, keyVersion: old.keyVersion })
  await expectClosed(later, 'the version before')
  await store(target, { ...old, ...{ keyVersion: fresh.keyVersion, wrappedDataKey: fresh.wrappedDataKey } })
  await expectClosed(target, 'the data key of the later version')
  await store(target, old)
  await store(later, fresh)
  expect([await access(target), await access(later)]).toEqual([target.value, later.value])
})

test('wrapped data keys of other lengths and forms open nothing, and ask for no more than they are', async () => {
  const own = await envelopeOf(target)
  const games: readonly (readonly [string, Partial<SealedEnvelope>])[] = [
    ['no wrapped key', { wrappedDataKey: Buffer.alloc(0) }],
    ['a wrapped key cut short', { wrappedDataKey: own.wrappedDataKey.subarray(0, -1) }],
    ['a wrapped key with more behind it', { wrappedDataKey: Buffer.concat([own.wrappedDataKey, Buffer.of(0)]) }],
    ['60 kB of wrapped key', { wrappedDataKey: Buffer.alloc(60_000, 1) }],
    [
      'a wrapped key of another format',
      { wrappedDataKey: Buffer.concat([Buffer.of(2), own.wrappedDataKey.subarray(1)]) },
    ],
    ['format 1', { format: 1 }],
    ['format 0', { format: 0 }],
    ['no key id', { keyId: '' }],
    ['the key of the platform', { keyId: 'tenure-platform' }],
    ['a key id with a path in it', { keyId: `../${own.keyId}` }],
    ['no nonce', { nonce: Buffer.alloc(0) }],
    ['a tag cut short', { ciphertext: own.ciphertext.subarray(0, -4) }],
  ]
  for (const [what, change] of games) {
    await store(target, { ...own, ...change })
    await expectClosed(target, what)
  }
})

test('a secret that is moved with its versions to another workspace or tenant opens there neither as it is nor with the key ids of the place', async () => {
  const uidOf = async (name: string) =>
    (await server.client(WorkspaceService).getWorkspace({ name })).workspace?.uid ?? ''
  const own = await envelopeOf(target)
  const home = { tenant: acme.uid, workspace: await uidOf(prod) }
  const [row] = await rows.all('SELECT secret_id FROM secret_versions WHERE secret_version_id = ?', [target.uid])
  const secretUid = String(row?.secret_id)
  const move = async (from: typeof home, to: typeof home) => {
    for (const table of ['secrets', 'secret_versions']) {
      await rows.run(
        `UPDATE ${table} SET tenant_id = ?, workspace_id = ? WHERE secret_id = ? AND tenant_id = ? AND workspace_id = ?`,
        [to.tenant, to.workspace, secretUid, from.tenant, from.workspace],
      )
    }
  }
  const places = [
    [others[2]?.[1], { tenant: acme.uid, workspace: await uidOf('tenants/acme/workspaces/test') }],
    [others[3]?.[1], { tenant: globex.uid, workspace: await uidOf('tenants/globex/workspaces/prod') }],
  ] as const
  // The data key is held when the row arrives.
  expect(await access(target)).toBe(target.value)
  for (const [neighbour, place] of places) {
    if (neighbour === undefined) throw new Error('there is no neighbour')
    await move(home, place)
    const [slug, ...version] = target.name.split('/').slice(5)
    const name = [...neighbour.name.split('/').slice(0, 5), slug, ...version].join('/')
    const there = { name, ownerKey: neighbour.ownerKey }
    const theirs = await envelopeOf(neighbour)
    await expectClosed(there, 'moved as it is')
    await store(target, { ...own, keyId: theirs.keyId })
    await expectClosed(there, 'moved, with the key id of the place')
    await store(target, { ...own, ...{ keyId: theirs.keyId, wrappedDataKey: theirs.wrappedDataKey } })
    await expectClosed(there, 'moved, with key id and data key of the place')
    await store(target, own)
    await move(place, home)
    expect(await access(target)).toBe(target.value)
  }
})

test('the envelope of a destroyed version, put back from a copy of its row, opens nowhere while the version is destroyed', async () => {
  const secrets = server.client(SecretService, acme.ownerKey)
  const kept = await envelopeOf(target)
  expect(await access(target)).toBe(target.value)
  await secrets.destroySecretVersion({ name: target.name })
  await store(target, kept)
  expect(await reasonOf(access(target))).toBe('INVALID_STATE')
  expect(await reasonOf(secrets.enableSecretVersion({ name: target.name }))).toBe('INVALID_STATE')
  for (const [where, other] of others) {
    const own = await envelopeOf(other)
    await store(other, kept)
    await expectClosed(other, where)
    await store(other, own)
  }
  // Nor as the same number of another secret: the secret's uid is bound, not its name.
  const twin = await newSealed(prod, acme.ownerKey)
  await store(twin, kept)
  await expectClosed(twin, 'the same number of another secret')
})

test('a version row that outlives its deleted secret is found by nobody, nor under another secret', async () => {
  const secrets = server.client(SecretService, acme.ownerKey)
  const [row] = await rows.all('SELECT * FROM secret_versions WHERE secret_version_id = ?', [target.uid])
  if (row === undefined) throw new Error('there is no row')
  await secrets.deleteSecret({ name: target.parent })
  const columns = Object.keys(row)
  const values = columns.map((column) => row[column] as string | number | null | Uint8Array)
  const slots = columns.map(() => '?').join(', ')
  await rows.run(`INSERT INTO secret_versions (${columns.join(', ')}) VALUES (${slots})`, values)
  expect(await reasonOf(access(target))).toBe('NOT_FOUND')
  const twin = await newSealed(prod, acme.ownerKey)
  const [own] = await rows.all('SELECT secret_id FROM secret_versions WHERE secret_version_id = ?', [twin.uid])
  await rows.run('DELETE FROM secret_versions WHERE secret_version_id = ?', [twin.uid])
  await rows.run('UPDATE secret_versions SET secret_id = ? WHERE secret_version_id = ?', [
    ...[String(own?.secret_id), target.uid],
  ])
  await expectClosed(twin, 'the version of a deleted secret under another')
})
