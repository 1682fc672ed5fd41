import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createClient } from '@connectrpc/connect'
import { createConnectTransport } from '@connectrpc/connect-node'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { AuditService } from '../../src/gen/tenure/v1/audit_service_pb.ts'
import { TenantService } from '../../src/gen/tenure/v1/tenant_service_pb.ts'
import { UserService } from '../../src/gen/tenure/v1/user_service_pb.ts'
import { type ChildServer, childEnvironment, endChild, runTenure, startChild } from '../support/child-server.ts'

let folder: string
let env: NodeJS.ProcessEnv
let child: ChildServer | undefined

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tenure-crash-'))
  env = childEnvironment(folder)
  const { code, stderr } = await runTenure(['bootstrap'], env)
  expect(stderr).toBe('')
  expect(code).toBe(0)
})

afterEach(async () => {
  if (child !== undefined) await endChild(child, 'SIGKILL')
  rmSync(folder, { recursive: true, force: true })
})

function transportOf({ httpUrl }: ChildServer) {
  const key = readFileSync(join(folder, 'root-api-key'), 'utf8').trim()
  return createConnectTransport({
    baseUrl: httpUrl,
    httpVersion: '1.1',
    interceptors: [
      (next) => (request) => {
        request.header.set('authorization', `Bearer ${key}`)
        return next(request)
      },
    ],
  })
}

const writes = Array.from({ length: 200 }, (_, index) => ({
  parent: 'tenants/acme',
  userId: `user-${index}`,
  user: { issuer: 'https://idp.example', subject: `user-${index}` },
  requestId: `request-${index}`,
}))

async function auditedTargets(server: ChildServer): Promise<string[]> {
  const audit = createClient(AuditService, transportOf(server))
  const filter = 'chain = "authority" AND event = "users.create"'
  const { auditEvents } = await audit.listAuditEvents({ parent: 'tenants/acme', filter, pageSize: 1000 })
  return auditEvents.map(({ target }) => target)
}

test('kill -9 in the middle of 200 writes: what was acknowledged is there, audited once, and repeats answer the same', async () => {
  child = await startChild(env)
  await createClient(TenantService, transportOf(child)).createTenant({ tenantId: 'acme' })
  const users = createClient(UserService, transportOf(child))
  const acknowledged = new Map<string, string>()
  const calls = writes.map(async (request) => {
    const { user, revision } = await users.createUser(request)
    acknowledged.set(user?.name ?? '', revision)
  })
  while (acknowledged.size < 40) await sleep(1)
  child.process.kill('SIGKILL')
  await Promise.allSettled(calls)
  expect(acknowledged.size).toBeLessThan(writes.length)
  await endChild(child, 'SIGKILL')

  child = await startChild(env)
  const again = createClient(UserService, transportOf(child))
  const audited = await auditedTargets(child)
  for (const name of acknowledged.keys()) {
    await again.getUser({ name })
    expect(audited.filter((target) => target === name)).toHaveLength(1)
  }
  const verdict = await createClient(AuditService, transportOf(child)).verifyAuditChain({ parent: 'tenants/acme' })
  expect(verdict).toMatchObject({ valid: true, verifiedCount: BigInt(audited.length + 1) })

  for (const request of writes) {
    const { user, revision } = await again.createUser(request)
    const first = acknowledged.get(user?.name ?? '')
    if (first !== undefined) expect(revision).toBe(first)
  }
  const all = await auditedTargets(child)
  expect(all).toHaveLength(writes.length)
  expect(new Set(all).size).toBe(writes.length)
})

test('a server that is told to stop finishes what is under way and exits 0', async () => {
  child = await startChild(env)
  await createClient(TenantService, transportOf(child)).createTenant({ tenantId: 'acme' })
  const users = createClient(UserService, transportOf(child))
  const calls = Promise.allSettled(writes.slice(0, 50).map((request) => users.createUser(request)))
  await sleep(20)
  expect(await endChild(child, 'SIGTERM')).toBe(0)
  await calls
})
