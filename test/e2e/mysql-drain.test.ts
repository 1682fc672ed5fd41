import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient, type Interceptor } from '@connectrpc/connect'
import { createConnectTransport } from '@connectrpc/connect-node'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { TenantService } from '../../src/gen/tenure/v1/tenant_service_pb.ts'
import { type FaultProxy, openFaultProxy } from '../rigs/tcp-fault-proxy.ts'
import { type ChildServer, childEnvironment, startChild } from '../support/child-server.ts'
import { databaseUrlOf, mysqlAdministrator } from '../support/test-database.ts'
import { startTestServer, type TestServer } from '../support/test-server.ts'

let folder: string
let network: FaultProxy
let server: TestServer
let child: ChildServer

/** A drain may take this long, whatever the network does. */
const boundMs = 10_000
/** Sockets that still wait for an answer when everything is disposed must not keep a process longer than this. */
const exitMs = 4_000

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tenure-drain-'))
  network = await openFaultProxy(mysqlAdministrator())
  server = await startTestServer({ folder })
  const url = new URL(databaseUrlOf(folder))
  url.host = `${network.host}:${network.port}`
  await server.stop()
  server = await startTestServer({ folder, env: { TENURE_DATABASE_URL: url.href } })
  child = await startChild(childEnvironment(folder, { TENURE_DATABASE_URL: url.href, TENURE_REPLICA: 'child' }))
})

afterAll(async () => {
  child.process.kill('SIGKILL')
  network.swallow(false)
  await server[Symbol.asyncDispose]()
  await network[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true, force: true })
})

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

/** Accesses that were not written when the network began to swallow, at one server in this process and one in its own. */
async function recordAccesses(): Promise<void> {
  const interceptors: Interceptor[] = [
    (next) => (request) => {
      request.header.set('authorization', `Bearer ${server.rootKey}`)
      return next(request)
    },
  ]
  const transport = createConnectTransport({ baseUrl: child.httpUrl, httpVersion: '1.1', interceptors })
  const inChild = createClient(TenantService, transport)
  await Promise.all([inChild, server.client(TenantService)].map((each) => each.getTenant({ name: 'tenants/acme' })))
  network.swallow(true)
}

test('a server whose network swallows everything comes to its end in its time, with accesses not yet written', async () => {
  await server.client(TenantService).createTenant({ tenantId: 'acme' })
  await recordAccesses()
  // Long enough that they are on their way.
  await sleep(1_000)
  const within = (ms: number, end: Promise<unknown>) => Promise.race([end, sleep(ms).then(() => 'still there')])
  // Each is timed from its own signal: how far a drain gets before it gives up differs from one server to the other.
  const exited = within(
    boundMs + exitMs,
    once(child.process, 'exit').then(([code]) => code),
  )
  child.process.kill('SIGTERM')
  const disposed = within(
    boundMs,
    server.stop().then(() => 'disposed'),
  )
  expect(await Promise.all([disposed, exited])).toEqual(['disposed', 0])
})
