import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { parseApiKey } from '../../src/credentials/api-key.ts'
import { Operations } from '../../src/gen/google/longrunning/operations_pb.ts'
import { ApiKeyService } from '../../src/gen/tenure/v1/api_key_service_pb.ts'
import { Tenant_SuspensionMode } from '../../src/gen/tenure/v1/tenant_pb.ts'
import { TenantService } from '../../src/gen/tenure/v1/tenant_service_pb.ts'
import { seedPermissions, seedTenant, type TenantFixture } from '../support/fixture.ts'
import { reasonOf } from '../support/reason.ts'
import { openSideDoor, type SideDoor, type StoredValue } from '../support/side-door.ts'
import { startTestServer, type TestServer } from '../support/test-server.ts'

let server: TestServer
let rows: SideDoor

beforeAll(async () => {
  server = await startTestServer()
  rows = await openSideDoor(server.databaseUrl)
  await seedPermissions(server)
})

afterAll(async () => {
  await rows[Symbol.asyncDispose]()
  await server[Symbol.asyncDispose]()
})

/** An operation of the tenant that another server works at, and does not end. */
async function endless({ uid, name }: TenantFixture): Promise<string> {
  const id = crypto.randomUUID()
  const [now, far] = ['2026-01-01 00:00:00.000', '2096-01-01 00:00:00.000']
  const row: Record<string, StoredValue> = {
    ...{ tenant_id: uid, operation_id: id, kind: 'workspaces.purge', target: '', state: 'OPEN', input: '{}' },
    ...{ actor: '{"principal":"","credential":"","requestId":"","clientIp":""}', checkpoint: '{}', phase: '', done: 0 },
    ...{ total: 0, message: '', cancel_requested: 0, attempt: 1, failure_count: 0, lease_holder: 'elsewhere' },
    ...{ lease_expire_time: far, response_type: '', create_time: now, update_time: now },
  }
  const names = Object.keys(row)
  const marks = names.map(() => '?').join(', ')
  await rows.run(`INSERT INTO operations (${names.join(', ')}) VALUES (${marks})`, Object.values(row))
  return `${name}/operations/${id}`
}

test.each<[string, (tenant: TenantFixture) => Promise<unknown>, string]>([
  [
    'a revoked key',
    ({ name, ownerKey }) => {
      const id = parseApiKey(ownerKey, server.config.environment)?.apiKeyId
      return server.client(ApiKeyService).revokeApiKey({ name: `${name}/apiKeys/${id}` })
    },
    'NOT_FOUND',
  ],
  [
    'a suspended tenant',
    ({ name }) => server.client(TenantService).suspendTenant({ name, mode: Tenant_SuspensionMode.FULL }),
    'TENANT_SUSPENDED',
  ],
  ['a deleted tenant', ({ name }) => server.client(TenantService).deleteTenant({ name, force: true }), 'NOT_FOUND'],
])('who waits for an operation with %s is refused at the next look, and told nothing', async (_what, end, reason) => {
  const tenant = await seedTenant(server, `t-${crypto.randomUUID().slice(0, 8)}`)
  const name = await endless(tenant)
  const startMs = performance.now()
  const waiting = reasonOf(server.client(Operations, tenant.ownerKey).waitOperation({ name }))
  await sleep(500)
  await end(tenant)
  expect(await waiting).toBe(reason)
  expect(performance.now() - startMs).toBeLessThan(10_000)
})
