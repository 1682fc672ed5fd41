import { afterAll, beforeAll, expect, test } from 'vitest'
import { TenureError } from '../../src/base/errors.ts'
import { TenantService } from '../../src/gen/tenure/v1/tenant_service_pb.ts'
import { afterFirstStatement, nextWriteOf, ofPurpose } from '../support/interleave.ts'
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

const cellOf = ({ server }: TestServer) => server.platform.storage.cell
const ofCreation = ofPurpose('tenant-provisioning')

test('a creation that another server finishes in the midst of ours is answered as ours', async () => {
  const request = { tenantId: 'acme', requestId: 'once' }
  const make = (server: TestServer) => server.client(TenantService).createTenant(request)
  nextWriteOf(cellOf(one), ofCreation, () => Promise.reject(new TenureError('DATABASE_UNAVAILABLE', 'it crashed here')))
  expect(await reasonOf(make(one))).toBe('DATABASE_UNAVAILABLE')
  let uid: string | undefined
  afterFirstStatement(cellOf(two), ofCreation, async () => {
    uid = (await make(one)).tenant?.uid
  })
  const { tenant } = await make(two)
  expect(uid).toBeDefined()
  expect(tenant?.uid).toBe(uid)
})
