import { createHmac, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { TenantService } from '../../src/gen/tenure/v1/tenant_service_pb.ts'
import { checkpointFileOf, shippedIn } from '../support/checkpoint-file.ts'
import { childEnvironment, endChild, runTenure, startChild } from '../support/child-server.ts'
import { openSideDoor } from '../support/side-door.ts'
import { startTestServer } from '../support/test-server.ts'

interface Message {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** Refuses the first so many messages. */
async function startReceiver(refused: number) {
  const messages: Message[] = []
  const receiver = createServer(async (request, response) => {
    const parts: Buffer[] = []
    for await (const part of request) parts.push(part as Buffer)
    response.statusCode = messages.length < refused ? 503 : 204
    messages.push({ status: response.statusCode, headers: request.headers, body: Buffer.concat(parts).toString() })
    response.end()
  })
  receiver.listen(0, '127.0.0.1')
  await once(receiver, 'listening')
  const { port } = receiver.address() as AddressInfo
  return {
    messages,
    url: `http://127.0.0.1:${port}/checkpoints`,
    [Symbol.asyncDispose]: async () => {
      receiver.closeAllConnections()
      receiver.close()
    },
  }
}

test('a receiver that refuses gets every checkpoint in the end, in order, each under one id and signed', async () => {
  await using receiver = await startReceiver(2)
  const secret = randomBytes(32)
  await using server = await startTestServer({
    env: {
      TENURE_AUDIT_CHECKPOINTS: receiver.url,
      TENURE_AUDIT_CHECKPOINT_SECRET: `whsec_${secret.toString('base64')}`,
    },
  })
  for (const tenantId of ['one', 'two', 'three']) {
    const seen = receiver.messages.length
    await server.client(TenantService).createTenant({ tenantId })
    await expect.poll(() => receiver.messages.length, { timeout: 15_000 }).toBeGreaterThan(seen)
  }
  await expect.poll(() => receiver.messages.at(-1)?.status, { timeout: 15_000 }).toBe(204)
  const taken = receiver.messages.filter(({ status }) => status === 204)
  const numbers = taken.map(({ body }) => (JSON.parse(body) as { data: { number: number } }).data.number)
  expect(numbers).toEqual(Array.from({ length: numbers.length }, (_, at) => at + 1))
  for (const { headers, body } of receiver.messages) {
    const number = (JSON.parse(body) as { data: { number: number } }).data.number
    expect(headers['webhook-id']).toMatch(new RegExp(`^audit-checkpoint-${number}-[0-9a-f]{16}$`))
    const signed = `${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`
    expect(headers['webhook-signature']).toBe(`v1,${createHmac('sha256', secret).update(signed).digest('base64')}`)
  }
  const file = join(server.folder, 'taken.jsonl')
  const keys = join(server.folder, 'jwks.json')
  writeFileSync(file, taken.map(({ body }) => `${body}\n`).join(''))
  writeFileSync(keys, await (await fetch(`${server.httpUrl}/.well-known/jwks.json`)).text())
  const told = await runTenure(['verify-checkpoints', file, '--keys', keys], childEnvironment(server.folder))
  expect(told).toMatchObject({ code: 0, stderr: '' })
})

test('what could not be shipped when a server stopped is shipped by the next one', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tenure-checkpoints-'))
  try {
    const nowhere = { TENURE_AUDIT_CHECKPOINTS: 'http://127.0.0.1:9/' }
    const first = await startTestServer({ folder, env: nowhere })
    await first.client(TenantService).createTenant({ tenantId: 'early' })
    await using rows = await openSideDoor(first.databaseUrl)
    const unshipped = async () =>
      Number((await rows.all('SELECT COUNT(*) AS n FROM audit_checkpoints WHERE shipped_time IS NULL'))[0]?.n)
    await expect.poll(unshipped, { timeout: 15_000 }).toBeGreaterThan(0)
    await first[Symbol.asyncDispose]()
    const left = await unshipped()
    await using second = await startTestServer({ folder })
    await expect.poll(unshipped, { timeout: 15_000 }).toBe(0)
    const numbers = shippedIn(folder).map(({ number }) => number)
    expect(numbers.slice(0, left)).toEqual(Array.from({ length: left }, (_, at) => at + 1))
    expect(second.config.auditCheckpoints.sink).toEqual({ kind: 'file', path: checkpointFileOf(folder) })
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})

test('on standard output checkpoints stand beside the log, and verify with it around them', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tenure-checkpoints-'))
  const env = { ...childEnvironment(folder), TENURE_AUDIT_CHECKPOINTS: 'stdout', TENURE_LOG_LEVEL: 'info' }
  const child = await startChild(env)
  try {
    let output = ''
    child.process.stdout?.on('data', (chunk) => {
      output += String(chunk)
    })
    await expect.poll(() => /"type":"audit\.checkpoint"/.test(output), { timeout: 15_000 }).toBe(true)
    const keys = join(folder, 'jwks.json')
    writeFileSync(keys, await (await fetch(`${child.httpUrl}/.well-known/jwks.json`)).text())
    await endChild(child, 'SIGTERM')
    const file = join(folder, 'output.log')
    writeFileSync(file, output)
    const told = await runTenure(['verify-checkpoints', file, '--keys', keys, '-o', 'json'], env)
    expect(told).toMatchObject({ code: 0, stderr: '' })
    expect(JSON.parse(told.stdout)).toMatchObject({ first: 1, problems: [] })
  } finally {
    await endChild(child, 'SIGKILL')
    rmSync(folder, { recursive: true, force: true })
  }
})
