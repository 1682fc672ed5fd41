import { afterAll, beforeAll, expect, test } from 'vitest'
import { AccessService, DecisionReason } from '../../src/gen/tenure/v1/access_service_pb.ts'
import { RoleService } from '../../src/gen/tenure/v1/role_service_pb.ts'
import { TenantService } from '../../src/gen/tenure/v1/tenant_service_pb.ts'
import { type FaultProxy, openFaultProxy } from '../rigs/tcp-fault-proxy.ts'
import { seedPermissions, seedTenant, type TenantFixture } from '../support/fixture.ts'
import { reasonOf } from '../support/reason.ts'
import { mysqlAdministrator } from '../support/test-database.ts'
import { startTestServer, type TestServer } from '../support/test-server.ts'

let running: TestServer
let network: FaultProxy
let acme: TenantFixture

beforeAll(async () => {
  running = await startTestServer()
  network = await openFaultProxy(mysqlAdministrator())
  await seedPermissions(running)
  acme = await seedTenant(running, 'acme')
})

afterAll(async () => {
  await network[Symbol.asyncDispose]()
  await running[Symbol.asyncDispose]()
})

/** A server that starts beside the running one, which does `meanwhile` when these bytes are on their way. */
async function startBeside(bytes: string, meanwhile: () => Promise<unknown>): Promise<TestServer> {
  const url = new URL(running.databaseUrl)
  url.host = `${network.host}:${network.port}`
  const done: Promise<unknown>[] = []
  let starts = 0
  network.cutWhen((passing) => {
    if (passing.includes('DELETE FROM directory_heartbeats')) starts += 1
    // The first start is that of the bootstrap, which nobody asks anything.
    if (starts < 2 || done.length > 0 || !passing.includes(bytes)) return undefined
    network.hold(true)
    done.push(meanwhile().finally(() => network.hold(false)))
    return undefined
  })
  const started = await startTestServer({
    ...{ folder: running.folder, env: { TENURE_DATABASE_URL: url.href, TENURE_REPLICA: 'starting' } },
  })
  expect(done).toHaveLength(1)
  await Promise.all(done)
  return started
}

test.each([
  ['has read the head', 'heartbeats', 'INSERT INTO directory_heartbeats'],
  ['opens its feed', 'journal', 'FROM directory_journal'],
])(
  'a change of the directory made while another server %s is known to it, with its revision',
  async (_when, noun, bytes) => {
    const permission = `${noun}.early`
    let revision = ''
    const beside = await startBeside(bytes, async () => {
      revision = (await running.client(RoleService).createPermission({ permissionId: permission })).revision
    })
    try {
      const at = (atLeastRevision: string) => reasonOf(beside.client(TenantService).listTenants({ atLeastRevision }))
      expect(await at(revision)).toBe('OK')
      const { reason } = await beside.client(AccessService).authorize({
        parent: `${acme.name}/workspaces/prod`,
        credential: { case: 'principal', value: { kind: { case: 'user', value: acme.alice } } },
        permission,
      })
      expect(reason).toBe(DecisionReason.PERMISSION_MISSING)
      // Nor does the one that was missed stand in the way of those that come.
      const later = await running.client(RoleService).createPermission({ permissionId: `${noun}.later` })
      expect(await at(later.revision)).toBe('OK')
    } finally {
      await beside.stop()
    }
  },
)
