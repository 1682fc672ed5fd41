import { expect } from 'vitest'
import { Operations } from '../../src/gen/google/longrunning/operations_pb.ts'
import { DiagnosticsService } from '../../src/gen/tenure/v1/diagnostics_service_pb.ts'
import { IsolationReport_Outcome, IsolationReportSchema } from '../../src/gen/tenure/v1/isolation_report_pb.ts'
import { ended, responseOf } from './operation.ts'
import type { TestServer } from './test-server.ts'

/** What a look finds, by probe: kind, tenant and subject of each. Empty: all passed. */
export async function lookAtIsolation(server: Pick<TestServer, 'client'>): Promise<Record<string, string[]>> {
  const { operation } = await server.client(DiagnosticsService).diagnoseIsolation({})
  const report = responseOf(await ended(server.client(Operations), operation), IsolationReportSchema)
  const bad = report.probes.filter(({ outcome }) => outcome !== IsolationReport_Outcome.PASSED)
  expect(report.outcome).toBe(bad.length === 0 ? IsolationReport_Outcome.PASSED : IsolationReport_Outcome.FAILED)
  return Object.fromEntries(
    bad.map(({ probe, findings, message }) => [
      probe,
      [
        ...findings.map(({ kind, tenantUid, subject }) => `${kind} ${tenantUid} ${subject}`),
        ...(message === '' ? [] : [message]),
      ],
    ]),
  )
}
