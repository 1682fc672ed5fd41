import { execFileSync, spawn } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startFailure } from '../../src/cli/start-failure.ts'
import type { Examined } from '../../src/doctor-finding.ts'
import { silentLog } from '../../src/observe/log.ts'
import { startServer } from '../../src/server.ts'
import { freePort } from '../rigs/free-port.ts'
import { openSideDoor, type StoredValue } from '../support/side-door.ts'
import { keyringSettingsOf, localKeyringOf } from '../support/test-keyring.ts'
import { startTestServer, type TestServer, testConfig } from '../support/test-server.ts'

let server: TestServer

beforeAll(async () => {
  server = await startTestServer()
})

afterAll(() => server[Symbol.asyncDispose]())

interface Told {
  readonly code: number | null
  readonly parts: Readonly<Record<string, Examined>>
  readonly text: string
}

/** What the doctor says of the installation under the server, or of another. */
async function ask(env: Readonly<Record<string, string>> = {}, output: 'json' | 'text' = 'json'): Promise<Told> {
  const [grpc, http] = [await freePort(), await freePort()]
  const child = spawn(process.execPath, ['src/main.ts', 'doctor', '-o', output], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {
      PATH: process.env.PATH,
      TENURE_DATABASE_URL: server.databaseUrl,
      ...keyringSettingsOf(server.folder),
      TENURE_GRPC_ADDRESS: `127.0.0.1:${grpc}`,
      TENURE_HTTP_ADDRESS: `127.0.0.1:${http}`,
      ...env,
    },
  })
  const out: Buffer[] = []
  child.stdout.on('data', (part: Buffer) => out.push(part))
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve))
  const text = Buffer.concat(out).toString()
  const parts =
    output === 'json' ? Object.fromEntries((JSON.parse(text) as Examined[]).map((each) => [each.part, each])) : {}
  return { code, parts, text }
}

const running = () => ({
  TENURE_GRPC_ADDRESS: `127.0.0.1:${server.server.grpcPort}`,
  TENURE_HTTP_ADDRESS: `127.0.0.1:${server.server.httpPort}`,
  TENURE_AUDIT_CHECKPOINTS: `file:${join(server.folder, 'audit-checkpoints.jsonl')}`,
})

test('of a sound installation every part is ok, beside its running server', async () => {
  const upTo = async () =>
    /^tenure_audit_checkpoint_timestamp_seconds (\S+)$/m.exec(
      await (await fetch(`${server.httpUrl}/metrics`)).text(),
    )?.[1]
  await expect.poll(upTo, { timeout: 15_000 }).not.toBe('0')
  const { code, parts } = await ask(running())
  expect(Object.values(parts).filter(({ state }) => state !== 'ok')).toEqual([])
  expect(Object.keys(parts)).toEqual(['database', 'schema', 'keyring', 'clock', 'ports', 'guard', 'feed', 'audit'])
  expect(parts.ports?.text).toContain('and serves')
  expect(parts.feed?.text).toMatch(/decides by what is \d/)
  expect(code).toBe(0)
})

test('who keeps checkpoints in the database alone is told what that means', async () => {
  const { parts, code } = await ask({ TENURE_AUDIT_CHECKPOINTS: 'none' })
  expect(parts.audit).toMatchObject({ state: 'warning', text: expect.stringContaining('can rewrite history') })
  expect(code).toBe(0)
})

test('people get a line for each part', async () => {
  const { text } = await ask(running(), 'text')
  expect(text.trimEnd().split('\n')).toHaveLength(8)
  expect(text).toMatch(/^guard {5}ok {7}It refuses what it must refuse\.$/m)
})

test('a dropped index is found, without the server noticing that somebody looked', async () => {
  await using rows = await openSideDoor(server.databaseUrl)
  const onMysql = server.databaseUrl.startsWith('mysql:')
  await rows.run(onMysql ? 'DROP INDEX roles_slug ON roles' : 'DROP INDEX roles_slug')
  const { code, parts } = await ask()
  await rows.run('CREATE UNIQUE INDEX roles_slug ON roles (tenant_id, slug)')
  expect(parts.schema).toMatchObject({
    state: 'failed',
    text: expect.stringContaining('index of roles roles_slug is missing'),
  })
  expect(code).toBe(1)
  expect((await ask()).parts.schema?.state).toBe('ok')
})

test('a port that something else has is found', async () => {
  const other = createServer((_request, response) => response.writeHead(404).end())
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
  const { port } = other.address() as AddressInfo
  const { parts } = await ask({ TENURE_HTTP_ADDRESS: `127.0.0.1:${port}` })
  other.close()
  expect(parts.ports).toMatchObject({ state: 'failed', text: expect.stringContaining('taken by something else') })
})

test('of two addresses the one that is taken is named, by whom, and a server of ours is known over either', async () => {
  const other = createServer((_request, response) => response.writeHead(404).end())
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
  const foreign = `127.0.0.1:${(other.address() as AddressInfo).port}`
  const { TENURE_GRPC_ADDRESS: grpc, TENURE_HTTP_ADDRESS: http } = running()
  const free = `127.0.0.1:${await freePort()}`
  const portsOf = async (grpcAddress: string, httpAddress: string) =>
    (await ask({ TENURE_GRPC_ADDRESS: grpcAddress, TENURE_HTTP_ADDRESS: httpAddress })).parts.ports
  const half = await portsOf(free, http)
  expect(half).toMatchObject({
    state: 'failed',
    text: expect.stringContaining(`listens on ${http}, and nobody on ${free}`),
  })
  const otherHalf = await portsOf(grpc, free)
  expect(otherHalf?.text).toContain(`listens on ${grpc}, and nobody on ${free}`)
  for (const addresses of [
    [grpc, foreign],
    [foreign, http],
  ] as const) {
    const found = await portsOf(...addresses)
    expect(found).toMatchObject({ state: 'failed', text: expect.stringContaining(`${foreign} is taken by something`) })
    expect(found?.text).not.toMatch(/and serves/)
  }
  other.close()
})

test('a server that speaks TLS under another name is known too, and one that wants client certificates is not called a stranger', async () => {
  const file = (name: string) => join(server.folder, name)
  execFileSync(
    'openssl',
    [
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'],
      ...['-subj', '/CN=tenure.example', '-addext', 'subjectAltName=DNS:tenure.example'],
      ...['-keyout', file('tls.key'), '-out', file('tls.crt')],
    ],
    { stdio: 'ignore' },
  )
  const folder = mkdtempSync(join(tmpdir(), 'tenure-doctor-'))
  folders.push(folder)
  const tls = {
    ...{ TENURE_TLS_CERT_FILE: file('tls.crt'), TENURE_TLS_KEY_FILE: file('tls.key') },
    ...{ TENURE_ISSUER: 'https://tenure.example', ...localKeyringOf(folder) },
  }
  const strict = { TENURE_TLS_CLIENT_CA_FILE: file('tls.crt') }
  const portsOf = async (more: Readonly<Record<string, string>>) => {
    await using running = await startTestServer({ folder, env: { ...tls, ...more } })
    const { grpcPort, httpPort } = running.server
    const addresses = {
      TENURE_GRPC_ADDRESS: `127.0.0.1:${grpcPort}`,
      TENURE_HTTP_ADDRESS: `127.0.0.1:${httpPort}`,
    }
    const told = await ask({ ...tls, ...more, ...addresses, TENURE_DATABASE_URL: running.databaseUrl })
    return told.parts.ports
  }
  expect(await portsOf({})).toMatchObject({ state: 'ok', text: expect.stringContaining('and serves') })
  expect(await portsOf(strict)).toMatchObject({ state: 'warning', text: expect.stringContaining('client certificate') })
}, 120_000)

test('what a server of another installation says is not taken for this one', async () => {
  await using another = await startTestServer()
  const { parts, code } = await ask({
    TENURE_GRPC_ADDRESS: `127.0.0.1:${another.server.grpcPort}`,
    TENURE_HTTP_ADDRESS: `127.0.0.1:${another.server.httpPort}`,
  })
  expect(parts.ports).toMatchObject({ state: 'failed', text: expect.stringContaining('of another installation') })
  for (const part of ['feed', 'audit']) {
    expect(parts[part]?.text).toContain('No server of this installation runs here')
    expect(parts[part]?.text).not.toMatch(/\d s (?:ago|old)/)
  }
  expect(code).toBe(1)
})

test('the setting of this process is not taken for that of the server that runs', async () => {
  await expect.poll(async () => (await ask(running())).parts.audit?.state, { timeout: 15_000 }).toBe('ok')
  const { parts } = await ask({ ...running(), TENURE_AUDIT_CHECKPOINTS: 'file:/proc/nope/x' })
  expect(parts.audit).toMatchObject({ state: 'warning', text: expect.stringContaining('there is no /proc/nope/x') })
  expect(parts.audit?.text).not.toContain('signed for in')
})

test('a database that is not there, or is none, is a sentence', async () => {
  const missing = await ask({ TENURE_DATABASE_URL: `sqlite:${join(server.folder, 'nowhere.db')}` })
  expect(missing.parts.database).toMatchObject({ state: 'failed', text: expect.stringContaining('tenure bootstrap') })
  expect(missing.parts.keyring?.state).toBe('ok')
  const file = join(server.folder, 'none.db')
  writeFileSync(file, 'not a database'.repeat(100))
  chmodSync(file, 0o600)
  const none = await ask({ TENURE_DATABASE_URL: `sqlite:${file}` })
  expect(none.parts.database).toMatchObject({ state: 'failed', text: expect.stringContaining('cannot be read') })
  const away = await ask({ TENURE_DATABASE_URL: `mysql://nobody@127.0.0.1:${await freePort()}/tenure?tls=off` })
  expect(away.parts.database?.state).toBe('failed')
  expect(away.parts.database?.text).toMatch(/^Nothing listens at /)
})

/** Of a server that stood, and does not run: what a start says of it is what the doctor has to say. */
async function stopped(): Promise<{ env: Record<string, string>; folder: string; databaseUrl: string }> {
  const folder = mkdtempSync(join(tmpdir(), 'tenure-doctor-'))
  folders.push(folder)
  const before = await startTestServer({ folder, env: localKeyringOf(folder) })
  await before.stop()
  const env = { TENURE_DATABASE_URL: before.databaseUrl, ...localKeyringOf(folder) }
  return { env, folder, databaseUrl: before.databaseUrl }
}

const folders: string[] = []
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})

async function refusal(folder: string, env: Readonly<Record<string, string>>): Promise<string> {
  try {
    await using _server = await startServer(testConfig(folder, env), { log: silentLog })
    return 'it started'
  } catch (error) {
    return startFailure(error)
  }
}

test('a database whose keyring is missing, empty, or of another installation is failed, and nothing is made', async () => {
  const [mine, other] = [await stopped(), await stopped()]
  const missing = join(mine.folder, 'nowhere')
  const gone = await ask({ ...mine.env, TENURE_KEYRING: `local:${missing}` })
  expect(gone.parts.keyring).toMatchObject({ state: 'failed', text: expect.stringContaining('Put the keyring back') })
  expect(gone.code).toBe(1)
  expect(existsSync(missing)).toBe(false)
  const empty = join(mine.folder, 'empty')
  mkdirSync(empty, { mode: 0o700 })
  for (const keyring of [`local:${empty}`, String(other.env.TENURE_KEYRING)]) {
    const { parts, code } = await ask({ ...mine.env, TENURE_KEYRING: keyring })
    expect(parts.keyring).toMatchObject({ state: 'failed', text: expect.stringContaining('not the one this database') })
    expect(code).toBe(1)
    expect(await refusal(mine.folder, { ...mine.env, TENURE_KEYRING: keyring })).not.toBe('it started')
  }
  expect(readdirSync(empty)).toEqual([])
  expect((await ask(mine.env)).parts.keyring?.state).toBe('ok')
}, 120_000)

test('where a start would refuse because a key is gone from the database or was overwritten, the doctor says what it says', async () => {
  const { env, folder, databaseUrl } = await stopped()
  await using rows = await openSideDoor(databaseUrl)
  const damages = [
    ["DELETE FROM sealed_keys WHERE key_name = 'row-code'", 'is gone from'],
    ["UPDATE sealed_keys SET envelope = x'00' WHERE key_name = 'row-code'", 'was overwritten in'],
    ["UPDATE sealed_keys SET envelope = x'00' WHERE key_name = 'page-token'", ''],
    ["UPDATE signing_keys SET envelope = x'00'", 'signing_keys'],
  ] as const
  const kept = await rows.all('SELECT key_name, envelope, create_time FROM sealed_keys')
  for (const [damage, words] of damages) {
    const [signing] = await rows.all('SELECT envelope FROM signing_keys')
    await rows.run(damage)
    const { parts, code } = await ask(env)
    const said = await refusal(folder, env)
    await rows.run('DELETE FROM sealed_keys')
    for (const row of kept) {
      const values = [row.key_name, row.envelope, row.create_time] as StoredValue[]
      await rows.run('INSERT INTO sealed_keys (key_name, envelope, create_time) VALUES (?, ?, ?)', values)
    }
    await rows.run('UPDATE signing_keys SET envelope = ?', [signing?.envelope as Uint8Array])
    expect(parts.keyring).toEqual({ part: 'keyring', state: 'failed', text: said.replace(/^tenure: /, '') })
    expect(parts.keyring?.text).toContain(words)
    expect(code).toBe(1)
  }
  expect((await ask(env)).parts.keyring?.state).toBe('ok')
}, 120_000)

test('without its Vault the doctor says what to do next', async () => {
  const vault = { TENURE_KEYRING: 'vault:transit', VAULT_ADDR: 'http://127.0.0.1:1', VAULT_TOKEN: 'hidden' }
  const { parts, code } = await ask(vault)
  expect(parts.keyring).toMatchObject({ state: 'failed', text: expect.stringMatching(/ECONNREFUSED.*set VAULT_ADDR/) })
  expect(code).toBe(1)
})

test('before the first start the doctor says what that makes, and makes none of it', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tenure-doctor-'))
  folders.push(folder)
  const { parts } = await ask({ TENURE_DATABASE_URL: `sqlite:${join(folder, 'tenure.db')}`, ...localKeyringOf(folder) })
  expect(parts.keyring).toMatchObject({ state: 'warning', text: expect.stringContaining('The first start makes it') })
  expect(readdirSync(folder)).toEqual([])
})
