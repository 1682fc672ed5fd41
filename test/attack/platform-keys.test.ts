import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fromBinary, toBinary } from '@bufbuild/protobuf'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startFailure } from '../../src/cli/start-failure.ts'
import { type SealedEnvelope, SealedEnvelopeSchema } from '../../src/gen/tenure/internal/v1/sealed_envelope_pb.ts'
import { TokenService } from '../../src/gen/tenure/v1/token_service_pb.ts'
import { makeSigningKey, type NewSigningKey } from '../../src/jwt/signing-key.ts'
import { silentLog } from '../../src/observe/log.ts'
import { type Server, startServer } from '../../src/server.ts'
import { childEnvironment, refusedStart } from '../support/child-server.ts'
import { seedPermissions, seedTenant, type TenantFixture } from '../support/fixture.ts'
import { openSideDoor, type SideDoor, type StoredValue } from '../support/side-door.ts'
import { startTestServer, type TestServer } from '../support/test-server.ts'

// What the platform sealed for itself, changed in the rows while no server runs.

let folder: string
let before: TestServer
let rows: SideDoor
let acme: TenantFixture

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tenure-platform-keys-'))
  before = await startTestServer({ folder })
  await seedPermissions(before)
  acme = await seedTenant(before, 'acme')
  await before.stop()
  rows = await openSideDoor(before.databaseUrl)
})

afterAll(async () => {
  await rows[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true, force: true })
})

type Place = 'page-token' | 'row-code' | 'signing_keys'

/** The platform keeps one signing key, and of every other key one row by its name. */
const tableOf = (place: Place) => (place === 'signing_keys' ? place : 'sealed_keys')
const rowOf = (place: Place) => (place === 'signing_keys' ? '' : ` WHERE key_name = '${place}'`)

async function envelopeIn(place: Place): Promise<SealedEnvelope> {
  const [row] = await rows.all(`SELECT envelope FROM ${tableOf(place)}${rowOf(place)}`)
  return fromBinary(SealedEnvelopeSchema, row?.envelope as Uint8Array)
}

async function put(place: Place, column: string, value: StoredValue): Promise<void> {
  await rows.run(`UPDATE ${tableOf(place)} SET ${column} = ?${rowOf(place)}`, [value])
}

const bytesOf = (envelope: SealedEnvelope) => toBinary(SealedEnvelopeSchema, envelope)

/** What an operator reads when the server will not start on these rows; the rows are as before afterwards. */
async function refusalAfter(
  change: () => Promise<unknown>,
  started: (server: Server) => Promise<unknown> = async () => undefined,
): Promise<string> {
  const places = ['page-token', 'row-code', 'signing_keys'] as const
  const kept = await Promise.all(places.map(envelopeIn))
  const [own] = await rows.all('SELECT kid, public_key FROM signing_keys')
  await change()
  try {
    await using server = await startServer(before.config, { log: silentLog })
    await started(server)
    return 'it started'
  } catch (error) {
    return startFailure(error)
  } finally {
    await rows.run('DELETE FROM signing_keys WHERE kid <> ?', [String(own?.kid)])
    for (const [at, envelope] of kept.entries()) await put(places[at] ?? 'page-token', 'envelope', bytesOf(envelope))
    await put('signing_keys', 'public_key', String(own?.public_key))
  }
}

type Game = (page: SealedEnvelope, signing: SealedEnvelope, value: SealedEnvelope) => Promise<unknown>

const games: readonly (readonly [string, Game])[] = [
  [
    'both exchanged',
    async (page, signing) => {
      await put('page-token', 'envelope', bytesOf(signing))
      await put('signing_keys', 'envelope', bytesOf(page))
    },
  ],
  ['the page key where the key of row codes was', (page) => put('row-code', 'envelope', bytesOf(page))],
  [
    'the key of row codes where the page key was',
    async () => put('page-token', 'envelope', bytesOf(await envelopeIn('row-code'))),
  ],
  [
    'the value of a secret where the key of row codes was',
    (_, __, value) => put('row-code', 'envelope', bytesOf(value)),
  ],
  ['the page key where the signing key was', (page) => put('signing_keys', 'envelope', bytesOf(page))],
  ['the signing key where the page key was', (_, signing) => put('page-token', 'envelope', bytesOf(signing))],
  [
    'the wrapped data key of the one in the other',
    (page, signing) => put('signing_keys', 'envelope', bytesOf({ ...signing, wrappedDataKey: page.wrappedDataKey })),
  ],
  [
    'another version of the key that wraps it',
    (_, signing) => put('signing_keys', 'envelope', bytesOf({ ...signing, keyVersion: signing.keyVersion + 1 })),
  ],
  [
    'the value of a secret where the signing key was',
    (_, __, value) => put('signing_keys', 'envelope', bytesOf(value)),
  ],
  ['the value of a secret where the page key was', (_, __, value) => put('page-token', 'envelope', bytesOf(value))],
  ['bytes that are no envelope', () => put('signing_keys', 'envelope', Buffer.from('nothing'))],
]

test.each(games)('a start on rows with %s is refused with a sentence', async (_what, game) => {
  const [row] = await rows.all('SELECT envelope FROM secret_versions')
  const value = fromBinary(SealedEnvelopeSchema, row?.envelope as Uint8Array)
  const [page, signing] = [await envelopeIn('page-token'), await envelopeIn('signing_keys')]
  const words = await refusalAfter(() => game(page, signing, value))
  expect(words).toMatch(/^tenure: \S.*\.$/)
  expect(words).not.toMatch(/should not have happened|\n\s+at /)
})

test('a start of the program on exchanged keys is refused with exit code 1 and words', async () => {
  const [page, signing] = [await envelopeIn('page-token'), await envelopeIn('signing_keys')]
  await put('signing_keys', 'envelope', bytesOf(page))
  try {
    expect(await refusedStart(childEnvironment(folder))).toMatch(/^tenure: \S.*\.$/)
  } finally {
    await put('signing_keys', 'envelope', bytesOf(signing))
  }
})

const strangersKey = () => makeSigningKey((bytes) => bytes.fill(3))

const forgeries: readonly (readonly [string, (stranger: NewSigningKey) => Promise<unknown>])[] = [
  ['in the place of the own', ({ publicJwk }) => put('signing_keys', 'public_key', JSON.stringify(publicJwk))],
  [
    'under the id of the own',
    async ({ publicJwk }) => {
      const [row] = await rows.all('SELECT kid FROM signing_keys')
      await put('signing_keys', 'public_key', JSON.stringify({ ...publicJwk, kid: row?.kid }))
    },
  ],
  [
    'in a row of its own',
    async ({ kid, publicJwk }) => {
      const [row] = await rows.all('SELECT * FROM signing_keys')
      const forged = {
        ...row,
        signing_key_id: crypto.randomUUID(),
        kid,
        public_key: JSON.stringify(publicJwk),
        state: 'TAINTED',
      }
      const columns = Object.keys(forged)
      const sql = `INSERT INTO signing_keys (${columns.join(', ')}) VALUES (${columns.map(() => '?').join(', ')})`
      await rows.run(sql, Object.values(forged) as StoredValue[])
    },
  ],
]

// Who writes to the rows would otherwise sign tokens of every tenant, which data planes verify without asking anybody.
test.each(forgeries)("a stranger's public key that was written %s is not published", async (_where, forge) => {
  const stranger = await strangersKey()
  let published = ''
  const words = await refusalAfter(
    () => forge(stranger),
    async (server) => {
      published = await (await fetch(`http://127.0.0.1:${server.httpPort}/.well-known/jwks.json`)).text()
    },
  )
  expect(published).not.toContain(stranger.publicJwk.x)
  if (published === '') expect(words).not.toMatch(/should not have happened/)
})

test('with the rows as they were the server starts, and signs with the same key', async () => {
  await using again = await startTestServer({ folder })
  const { token } = await again.client(TokenService, acme.ownerKey).issueToken({ parent: acme.name })
  const header = JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()) as { kid: string }
  const [row] = await rows.all('SELECT kid FROM signing_keys')
  expect(header.kid).toBe(row?.kid)
})
