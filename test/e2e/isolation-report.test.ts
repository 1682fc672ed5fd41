import { afterAll, beforeAll, expect, test } from 'vitest'
import { Operations } from '../../src/gen/google/longrunning/operations_pb.ts'
import { DiagnosticsService } from '../../src/gen/tenure/v1/diagnostics_service_pb.ts'
import {
  type IsolationReport,
  IsolationReport_Outcome,
  IsolationReportSchema,
} from '../../src/gen/tenure/v1/isolation_report_pb.ts'
import { seedPermissions, seedTenant, type TenantFixture } from '../support/fixture.ts'
import { ended, metadataOf, responseOf } from '../support/operation.ts'
import { openSideDoor, type SideDoor } from '../support/side-door.ts'
import { startTestServer, type TestServer } from '../support/test-server.ts'

let server: TestServer
let rows: SideDoor
let acme: TenantFixture
let globex: TenantFixture

beforeAll(async () => {
  server = await startTestServer()
  rows = await openSideDoor(server.databaseUrl)
  await seedPermissions(server)
  acme = await seedTenant(server, 'acme')
  globex = await seedTenant(server, 'globex')
})

afterAll(async () => {
  await rows[Symbol.asyncDispose]()
  await server[Symbol.asyncDispose]()
})

async function look(): Promise<IsolationReport> {
  const { operation } = await server.client(DiagnosticsService).diagnoseIsolation({})
  const last = await ended(server.client(Operations), operation)
  expect(metadataOf(last)).toMatchObject({ kind: 'diagnostics.diagnoseIsolation' })
  return responseOf(last, IsolationReportSchema)
}

test('an installation that nobody touched passes every probe, and the canaries sing', async () => {
  for (let time = 0; time < 2; time += 1) {
    const report = await look()
    const bad = report.probes.filter(({ outcome }) => outcome !== IsolationReport_Outcome.PASSED)
    expect(bad).toEqual([])
    expect(report.outcome).toBe(IsolationReport_Outcome.PASSED)
    expect(report.probes.filter(({ checkedCount }) => checkedCount === 0n)).toEqual([])
  }
  expect([acme.uid, globex.uid]).not.toContain('')
})
