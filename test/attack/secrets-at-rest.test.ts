import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { decodeBase62 } from '../../src/base/base62.ts'
import { AccessService } from '../../src/gen/tenure/v1/access_service_pb.ts'
import { ApiKeyService } from '../../src/gen/tenure/v1/api_key_service_pb.ts'
import { createLog } from '../../src/observe/log.ts'
import { startServer } from '../../src/server.ts'
import { seedPermissions, seedTenant, type TenantFixture } from '../support/fixture.ts'
import { openSideDoor } from '../support/side-door.ts'
import { testEngine } from '../support/test-database.ts'
import { startTestServer, type TestServer } from '../support/test-server.ts'
import { bearer, callJson } from './caller.ts'
import { takeInventory } from './inventory.ts'

const issued = 200
const lines: string[] = []
const answers: string[] = []
const secrets: string[] = []
let seeded: TestServer
let acme: TenantFixture
let server: Awaited<ReturnType<typeof startServer>>
let httpUrl: string

beforeAll(async () => {
  seeded = await startTestServer()
  await seedPermissions(seeded)
  acme = await seedTenant(seeded, 'acme')
  secrets.push(seeded.rootKey, acme.ownerKey, acme.adminKey, acme.viewerKey, acme.prodKey)
  await seeded.stop()
  const destination = { write: (line: string) => void lines.push(line) }
  server = await startServer(seeded.config, { log: createLog({ level: 'debug', destination }) })
  httpUrl = `http://127.0.0.1:${server.httpPort}`
  await issueKeys()
  await misuseKeys()
})

afterAll(async () => {
  await server[Symbol.asyncDispose]()
  await seeded[Symbol.asyncDispose]()
})

const { createApiKey } = ApiKeyService.method
const owner = 'tenants/acme/serviceAccounts/owner-bot'

async function issueKeys(): Promise<void> {
  for (let at = 0; at < issued; at += 1) {
    const parent = at % 2 === 0 ? acme.name : `${acme.name}/workspaces/prod`
    const request = { parent, apiKey: { serviceAccount: owner }, requestId: `key-${at}` }
    const made = await callJson(httpUrl, createApiKey, JSON.stringify(request), bearer(acme.ownerKey))
    secrets.push((JSON.parse(made.body) as { secret: string }).secret)
    // The answer kept for a repetition must not hold what is shown once.
    if (at % 10 === 0)
      answers.push((await callJson(httpUrl, createApiKey, JSON.stringify(request), bearer(acme.ownerKey))).body)
  }
}

/** Every way a key can come where it does not belong: in fields, in names, in headers, broken, and asked about. */
async function misuseKeys(): Promise<void> {
  const { authorize, getCaller } = AccessService.method
  for (const secret of secrets.slice(-60)) {
    const broken = `${secret.slice(0, -1)}-`
    const bodies = [
      { parent: acme.name, apiKey: secret, permission: 'orders.read' },
      { apiKey: secret },
      { parent: acme.name, apiKey: broken },
      { parent: secret, apiKey: secret },
      { parent: acme.name, apiKey: secret, permission: secret, resource: secret, requestId: secret },
    ]
    for (const body of bodies)
      answers.push((await callJson(httpUrl, authorize, JSON.stringify(body), bearer(acme.ownerKey))).body)
    answers.push(
      (await callJson(httpUrl, authorize, `{"apiKey":"${secret}","${secret}":1`, bearer(acme.ownerKey))).body,
    )
    answers.push((await callJson(httpUrl, getCaller, '{}', bearer(secret))).body)
    answers.push((await callJson(httpUrl, getCaller, '{}', bearer(broken))).body)
    answers.push((await callJson(httpUrl, getCaller, '{}', { ...bearer(secret), 'x-workspace-id': secret })).body)
  }
  answers.push(await (await fetch(`${httpUrl}/metrics`)).text())
  for (const method of ApiKeyService.methods.filter(({ name }) => /^List/.test(name))) {
    for (const parent of [acme.name, `${acme.name}/workspaces/prod`]) {
      answers.push(
        (await callJson(httpUrl, method, JSON.stringify({ parent, pageSize: 1000 }), bearer(acme.ownerKey))).body,
      )
    }
  }
  const names = await takeInventory(httpUrl, seeded.rootKey)
  answers.push(names.join('\n'))
}

/** The text of a key and of its secret part, and that part's bytes. */
function traces(key: string): Buffer[] {
  const secret = key.split('_')[3]?.slice(0, 43) ?? ''
  const bytes = Buffer.from(decodeBase62(secret, 32) ?? [])
  return [
    Buffer.from(key),
    Buffer.from(secret),
    bytes,
    Buffer.from(bytes.toString('hex')),
    Buffer.from(bytes.toString('base64url')),
  ]
}

function findings(where: string, haystack: Buffer): string[] {
  return secrets.flatMap((key, at) =>
    traces(key).flatMap((trace, form) => (haystack.includes(trace) ? [`${where}: key ${at}, form ${form}`] : [])),
  )
}

test('no file and no row of the installation holds a key or its secret, but the file the root key was handed out in', async () => {
  expect(secrets.length).toBe(issued + 5)
  expect(secrets.every((secret) => /^tenure_[a-z0-9]+_[0-9A-Za-z]{43}_[0-9A-Za-z]{49}$/.test(secret))).toBe(true)
  const found: string[] = []
  const files = readdirSync(seeded.folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  const expected = testEngine === 'sqlite' ? ['tenure.db', 'tenure.db-wal', 'root-api-key'] : ['root-api-key']
  expect(files.map(({ name }) => name)).toEqual(expect.arrayContaining(expected))
  for (const { parentPath, name } of files) {
    if (name !== 'root-api-key') found.push(...findings(name, readFileSync(join(parentPath, name))))
  }
  await using sideDoor = await openSideDoor(seeded.databaseUrl)
  for (const table of (await sideDoor.tables()).keys()) {
    const values = (await sideDoor.all(`SELECT * FROM ${table}`)).flatMap((row) => Object.values(row))
    found.push(...findings(table, Buffer.concat(values.map(bytesOf))))
  }
  expect(found).toEqual([])
})

function bytesOf(value: unknown): Buffer {
  return value instanceof Uint8Array ? Buffer.from(value) : Buffer.from(String(value))
}

test('no log line, answer, audit event, metric or error text repeats a key', () => {
  expect(lines.length).toBeGreaterThan(100)
  expect(answers.length).toBeGreaterThan(500)
  expect(findings('log', Buffer.from(lines.join('')))).toEqual([])
  expect(findings('answer', Buffer.from(answers.join('\n')))).toEqual([])
})
