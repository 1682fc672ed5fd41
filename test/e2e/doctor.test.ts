import { spawn } from 'node:child_process'
import { chmodSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Examined } from '../../src/doctor.ts'
import { freePort } from '../rigs/free-port.ts'
import { openSideDoor } from '../support/side-door.ts'
import { keyringSettingsOf } from '../support/test-keyring.ts'
import { startTestServer, type TestServer } from '../support/test-server.ts'

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
