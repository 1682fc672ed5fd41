import { afterAll, beforeAll, expect, test } from 'vitest'
import { TenureError } from '../../src/base/errors.ts'
import { TenantService } from '../../src/gen/tenure/v1/tenant_service_pb.ts'
import { reasonOf } from '../support/reason.ts'
import { startTestServer, type TestServer } from '../support/test-server.ts'

// On SQLite writers come one after the other, so nothing of this can happen there.

let one: TestServer
let two: TestServer

beforeAll(async () => {
  one = await startTestServer()
  two = await startTestServer({ folder: one.folder, env: { TENURE_REPLICA: 'replica-2' } })
})

afterAll(async () => {
  await two[Symbol.asyncDispose]()
  await one[Symbol.asyncDispose]()
})

interface Manager {
  query(...args: unknown[]): Promise<unknown>
}

type Work = (manager: Manager) => Promise<unknown>

/** The cell of a server, whose next write is another. */
function nextWriteOf(
  { server }: TestServer,
  changed: (write: (work: Work) => Promise<unknown>, work: Work) => unknown,
) {
  type Write = (binding: unknown, work: Work) => Promise<unknown>
  const { cell } = server.platform.storage as unknown as { cell: { write: Write } }
  const { write } = cell
  cell.write = async (binding, work) => {
    cell.write = write
    return changed((each) => write(binding, each), work)
  }
}

/** Runs `meanwhile` between the first statement of a server's next transaction in the cell and the second. */
function afterFirstStatement(server: TestServer, meanwhile: () => Promise<unknown>): void {
  nextWriteOf(server, (write, work) =>
    write(async (manager) => {
      const { query } = manager
      manager.query = async (...args) => {
        manager.query = query
        const answer = await query.apply(manager, args)
        await meanwhile()
        return answer
      }
      return work(manager)
    }),
  )
}

test('a creation that another server finishes in the midst of ours is answered as ours', async () => {
  const request = { tenantId: 'acme', requestId: 'once' }
  const make = (server: TestServer) => server.client(TenantService).createTenant(request)
  nextWriteOf(one, () => Promise.reject(new TenureError('DATABASE_UNAVAILABLE', 'it crashed here')))
  expect(await reasonOf(make(one))).toBe('DATABASE_UNAVAILABLE')
  let uid: string | undefined
  afterFirstStatement(two, async () => {
    uid = (await make(one)).tenant?.uid
  })
  const { tenant } = await make(two)
  expect(uid).toBeDefined()
  expect(tenant?.uid).toBe(uid)
})
