import { afterAll, beforeAll, expect, test } from 'vitest'
import { TenureError } from '../../src/base/errors.ts'
import { DiagnosticsService } from '../../src/gen/tenure/v1/diagnostics_service_pb.ts'
import { GuardViolation_Mode } from '../../src/gen/tenure/v1/guard_violation_pb.ts'
import { TenantService } from '../../src/gen/tenure/v1/tenant_service_pb.ts'
import { afterFirstStatement, nextWriteOf, ofPurpose } from '../support/interleave.ts'
import { reasonOf } from '../support/reason.ts'
import { openSideDoor } from '../support/side-door.ts'
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

test('what is told of a tenant whose creation was interrupted does not keep it from being finished', async () => {
  const request = { tenantId: 'globex', requestId: 'again' }
  const make = () => one.client(TenantService).createTenant(request)
  nextWriteOf(cellOf(one), ofCreation, () => Promise.reject(new TenureError('DATABASE_UNAVAILABLE', 'it crashed here')))
  expect(await reasonOf(make())).toBe('DATABASE_UNAVAILABLE')
  await using rows = await openSideDoor(one.databaseUrl)
  const [placed] = await rows.all('SELECT tenant_id FROM tenant_placements WHERE slug = ?', ['globex'])
  const tenantUid = String(placed?.tenant_id)
  const violation = {
    tenantUid,
    reason: 'unbound',
    statement: 'SELECT 1',
    count: 1n,
    mode: GuardViolation_Mode.ENFORCE,
  }
  await one.client(DiagnosticsService).reportGuardViolations({ source: 'orders', guardViolations: [violation] })
  await one.server.platform.accessLog.flush()
  expect(await rows.all('SELECT event FROM journal WHERE tenant_id = ?', [tenantUid])).toEqual([])
  expect((await make()).tenant?.uid).toBe(tenantUid)
})
