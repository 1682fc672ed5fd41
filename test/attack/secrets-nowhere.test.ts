import { randomBytes, randomFillSync } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { AccessService } from '../../src/gen/tenure/v1/access_service_pb.ts'
import { SecretService } from '../../src/gen/tenure/v1/secret_service_pb.ts'
import { TokenService } from '../../src/gen/tenure/v1/token_service_pb.ts'
import { createLog } from '../../src/observe/log.ts'
import { type Server, startServer } from '../../src/server.ts'
import { type OpenBaoRig, startOpenBao } from '../rigs/openbao/start-openbao.ts'
import { tenurePolicy } from '../rigs/openbao/tenure-policy.ts'
import { type FaultProxy, openFaultProxy } from '../rigs/tcp-fault-proxy.ts'
import { seedPermissions, seedTenant, type TenantFixture } from '../support/fixture.ts'
import { openSideDoor } from '../support/side-door.ts'
import { testEngine } from '../support/test-database.ts'
import { startTestServer, type TestServer } from '../support/test-server.ts'
import { bearer, callJson } from './caller.ts'
import { takeInventory } from './inventory.ts'
import { createSecretTraces } from './seen-secrets.ts'
import { listenToVault, type VaultWire } from './vault-wire.ts'

// A server at its most talkative, with keys in an OpenBao of its own whose every word with the server is listened to.

const values = 12
const prod = 'tenants/acme/workspaces/prod'

const payloads = createSecretTraces()
const tokens = createSecretTraces()
const keys = createSecretTraces()
const vaultSecrets = createSecretTraces()
const lines: string[] = []
const answers: string[] = []

let folder: string
let baoFolder: string
let bao: OpenBaoRig
let network: FaultProxy
let wire: VaultWire
let seeded: TestServer
let server: Server
let httpUrl: string
let acme: TenantFixture

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tenure-nowhere-'))
  baoFolder = mkdtempSync(join(tmpdir(), 'tenure-nowhere-bao-'))
  bao = await startOpenBao({ folder: baoFolder })
  network = await openFaultProxy(bao)
  wire = listenToVault(network, { tokens: vaultSecrets, keys })
  await bao.mountTransit('transit')
  await bao.writePolicy('tenure', tenurePolicy('transit'))
  const { roleId, secretId } = await bao.makeAppRole('tenure', { policies: ['tenure'], ttlSeconds: 3 })
  vaultSecrets.add('secret id', secretId)
  const env = {
    TENURE_KEYRING: 'vault:transit',
    VAULT_ADDR: `http://${network.host}:${network.port}`,
    VAULT_ROLE_ID: roleId,
    VAULT_SECRET_ID: secretId,
    TENURE_DATA_KEY_CACHE_MS: '0',
    TENURE_LOG_LEVEL: 'debug',
  }
  seeded = await startTestServer({ folder, env })
  await seedPermissions(seeded)
  acme = await seedTenant(seeded, 'acme')
  await seeded.stop()
  const destination = { write: (line: string) => void lines.push(line) }
  server = await startServer(seeded.config, { log: createLog({ level: 'debug', destination }), random: watchedRandom })
  httpUrl = `http://127.0.0.1:${server.httpPort}`
  await useSecrets()
  await useTokens()
  await misuse()
  await loseVault()
}, 90_000)

afterAll(async () => {
  await server?.[Symbol.asyncDispose]()
  await network?.[Symbol.asyncDispose]()
  await bao?.[Symbol.asyncDispose]()
  for (const each of [folder, baoFolder]) rmSync(each, { recursive: true, force: true })
})

/** Everything of the size of a key that the server draws is one: data keys, and what seals page tokens and tokens. */
function watchedRandom(bytes: Uint8Array): void {
  randomFillSync(bytes)
  if (bytes.length === 32) keys.add('data key', bytes)
}

const { createSecret, addSecretVersion, accessSecretVersion, destroySecretVersion } = SecretService.method
const { issueToken } = TokenService.method
const { authorize, getCaller } = AccessService.method

type Method = Parameters<typeof callJson>[1]

/** What is answered with a value or a token when all is well. */
const carriesSecrets: ReadonlySet<string> = new Set([accessSecretVersion.name, issueToken.name])

/** The answer is looked through later. */
async function ask(method: Method, body: unknown, headers: Record<string, string> = {}): Promise<string> {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  const answer = await callJson(httpUrl, method, text, { ...bearer(acme.ownerKey), ...headers })
  if (answer.code !== 'ok' || !carriesSecrets.has(method.name)) answers.push(answer.seen)
  return answer.code
}

function newPayload(): { readonly text: string; readonly payload: string } {
  // Capitals and a sign: it is no name of anything.
  const text = `Pa$$-${randomBytes(24).toString('base64')}`
  payloads.add('payload', text)
  return { text, payload: Buffer.from(text).toString('base64') }
}

async function useSecrets(): Promise<void> {
  expect(await ask(createSecret, { parent: prod, secretId: 'nowhere' })).toBe('ok')
  const parent = `${prod}/secrets/nowhere`
  for (let at = 1; at <= values; at += 1) {
    const { payload } = newPayload()
    const request = { parent, payload, requestId: `add-${at}` }
    expect(await ask(addSecretVersion, request)).toBe('ok')
    expect(await ask(addSecretVersion, request)).toBe('ok')
    const name = `${parent}/versions/${at}`
    const answer = await callJson(httpUrl, accessSecretVersion, JSON.stringify({ name }), bearer(acme.ownerKey))
    expect((JSON.parse(answer.body) as { payload: string }).payload).toBe(payload)
  }
  expect(await ask(destroySecretVersion, { name: `${parent}/versions/2` })).toBe('ok')
}

const issued: string[] = []

async function useTokens(): Promise<void> {
  for (const body of [{ parent: acme.name }, { parent: acme.name, principal: { user: acme.alice } }]) {
    for (let at = 0; at < 8; at += 1) {
      const answer = await callJson(httpUrl, issueToken, JSON.stringify(body), bearer(acme.ownerKey))
      const { token } = JSON.parse(answer.body) as { token: string }
      issued.push(token)
      tokens.add('signature of a token', token.split('.')[2] ?? '')
      tokens.add('bytes of that signature', Buffer.from(token.split('.')[2] ?? '', 'base64url'))
    }
  }
}

/** Every way a value or a token can come where it does not belong. */
async function misuse(): Promise<void> {
  const parent = `${prod}/secrets/nowhere`
  for (let at = 0; at < 4; at += 1) {
    const { text, payload } = newPayload()
    await ask(addSecretVersion, { parent, payload, payloadCrc32c: 1 })
    await ask(addSecretVersion, { parent, payload, expectedLatest: '77' })
    await ask(addSecretVersion, { parent, payload, requestId: 'add-1' })
    await ask(addSecretVersion, { parent: text, payload })
    await ask(addSecretVersion, { parent, payload: text })
    await ask(addSecretVersion, { parent, payload, requestId: text })
    await ask(addSecretVersion, { parent, payload: [payload] })
    await ask(addSecretVersion, { parent: `${prod}/secrets/none`, payload })
    await ask(addSecretVersion, `{"parent":"${parent}","payload":"${payload}","${text}":1}`)
    await ask(addSecretVersion, `{"parent":"${parent}","payload":"${payload}"`)
    await ask(addSecretVersion, { parent, payload }, { 'connect-timeout-ms': '1' })
    await ask(addSecretVersion, { parent, payload }, { 'x-workspace-id': text })
    await ask(addSecretVersion, { parent, payload }, bearer(acme.viewerKey))
    await ask(addSecretVersion, { parent, payload }, bearer(text))
    await ask(createSecret, { parent: prod, secretId: text })
    await ask(accessSecretVersion, { name: `${parent}/versions/${text}` })
  }
  for (const token of issued.slice(0, 4)) {
    await ask(getCaller, {}, bearer(token))
    await ask(getCaller, {}, { 'x-workspace-id': token })
    await ask(authorize, { parent: acme.name, token, permission: 'orders.read' })
    await ask(authorize, { parent: token, apiKey: token, permission: token, resource: token, requestId: token })
    await ask(authorize, `{"${token}":1}`)
    await ask(issueToken, { parent: acme.name, audience: [token.slice(0, 200)], principal: { user: token } })
    await ask(issueToken, { parent: acme.name, atLeastRevision: token.slice(0, 250) })
    await ask(issueToken, { parent: acme.name }, { 'connect-timeout-ms': '1' })
  }
  await openDamaged()
}

async function openDamaged(): Promise<void> {
  await using rows = await openSideDoor(seeded.databaseUrl)
  const stored = await rows.all('SELECT secret_version_id, envelope FROM secret_versions WHERE envelope IS NOT NULL')
  const last = stored.at(-1)
  const damaged = Buffer.from(last?.envelope as Uint8Array)
  damaged[damaged.length - 1] = (damaged.at(-1) ?? 0) ^ 1
  await rows.run('UPDATE secret_versions SET envelope = ? WHERE secret_version_id = ?', [
    damaged,
    String(last?.secret_version_id),
  ])
  await Promise.all(
    Array.from({ length: values }, (_, at) =>
      ask(accessSecretVersion, { name: `${prod}/secrets/nowhere/versions/${at + 1}` }, { 'connect-timeout-ms': '2' }),
    ),
  )
}

/** Away, sealed, and with a token that has ended: what a server complains of. */
async function loseVault(): Promise<void> {
  const parent = `${prod}/secrets/nowhere`
  const complain = async () => {
    await ask(addSecretVersion, { parent, payload: newPayload().payload })
    await ask(accessSecretVersion, { name: `${parent}/versions/latest` })
  }
  network.swallow(true)
  await complain()
  network.swallow(false)
  network.cutAll()
  await bao.seal()
  await complain()
  // Long enough for a renewal to fail.
  await sleep(2_500)
  await bao.unseal()
  await sleep(1_000)
  const { data = {} } = await bao.ask('LIST', 'auth/token/accessors')
  for (const accessor of data.keys as string[]) {
    const { data: about } = await bao.ask('POST', 'auth/token/lookup-accessor', { accessor })
    if (String(about?.path) === 'auth/approle/login') await bao.ask('POST', 'auth/token/revoke-accessor', { accessor })
  }
  for (let at = 0; at < 4; at += 1) {
    await complain()
    await sleep(400)
  }
  answers.push(await (await fetch(`${httpUrl}/metrics`)).text())
  answers.push((await takeInventory(httpUrl, seeded.rootKey)).join('\n'))
}

const all = [payloads, tokens, keys, vaultSecrets]
const findings = (where: string, haystack: Buffer | string) => all.flatMap((traces) => traces.findIn(where, haystack))

/** Of every file below the folder. */
function findingsBelow(root: string): string[] {
  const files = readdirSync(root, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  expect(files.length).toBeGreaterThan(0)
  return files.flatMap(({ parentPath, name }) => findings(name, readFileSync(join(parentPath, name))))
}

test('there is enough to look for, and it would be found', () => {
  expect(payloads.size).toBeGreaterThanOrEqual(values + 4)
  expect(tokens.size).toBe(2 * issued.length)
  expect(keys.count('data key')).toBeGreaterThanOrEqual(values)
  expect(keys.count('wrapping key')).toBeGreaterThanOrEqual(values)
  // The one it started with, and the one that replaced it when that was revoked.
  expect(vaultSecrets.count('Vault token')).toBeGreaterThanOrEqual(2)
  expect(vaultSecrets.count('secret id')).toBe(1)
  const secret = randomBytes(24)
  const traces = createSecretTraces()
  traces.add('control', secret)
  for (const lead of [0, 1, 2].map((length) => Buffer.alloc(length, 7))) {
    const around = Buffer.concat([lead, secret, Buffer.from('more')])
    for (const form of ['latin1', 'hex', 'base64', 'base64url'] as const) {
      expect(traces.findIn('control', Buffer.from(around.toString(form), 'latin1'))).not.toEqual([])
    }
  }
})

test('no file and no row of the database holds a value, a token, a data key or what opens Vault', async () => {
  const expected = testEngine === 'sqlite' ? ['tenure.db', 'tenure.db-wal'] : []
  expect(readdirSync(folder)).toEqual(expect.arrayContaining(expected))
  expect(findingsBelow(folder)).toEqual([])
  await using rows = await openSideDoor(seeded.databaseUrl)
  let cells = 0
  for (const table of (await rows.tables()).keys()) {
    const held = (await rows.all(`SELECT * FROM ${table}`)).flatMap((row) => Object.values(row))
    cells += held.length
    const bytes = held.map((cell) => (cell instanceof Uint8Array ? Buffer.from(cell) : Buffer.from(String(cell))))
    expect(findings(table, Buffer.concat(bytes))).toEqual([])
  }
  expect(cells).toBeGreaterThan(1_000)
})

test('no line of the log says one of them, at its most talkative and while Vault is away', () => {
  expect(lines.length).toBeGreaterThan(150)
  expect(lines.join('')).toMatch(/Vault/)
  expect(findings('log', lines.join(''))).toEqual([])
})

test('no refusal, list, metric or answer about secrets and tokens repeats one of them', () => {
  expect(answers.length).toBeGreaterThan(100)
  expect(answers.join('\n')).toMatch(/DEADLINE|deadline/)
  expect(answers.join('\n')).toMatch(/keyring/)
  expect(findings('answer', answers.join('\n'))).toEqual([])
})

test('Vault is told no value, no token and no data key, and keeps nothing that anybody could read', () => {
  const toVault = wire.toVault()
  expect(toVault.length).toBeGreaterThan(10_000)
  for (const traces of [payloads, tokens]) expect(traces.findIn('to Vault', toVault)).toEqual([])
  expect(keys.findIn('to Vault', toVault)).toEqual([])
  const audit = readFileSync(join(baoFolder, 'audit.log'), 'utf8')
  // It was there, and kept what it heard.
  expect(audit).toMatch(/datakey\/plaintext/)
  expect(audit).toMatch(/auth\/approle\/login/)
  expect(findings('audit log of OpenBao', audit)).toEqual([])
  expect(findings('log of OpenBao', readFileSync(join(baoFolder, 'bao.log')))).toEqual([])
})
