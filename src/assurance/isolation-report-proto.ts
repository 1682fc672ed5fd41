import { create } from '@bufbuild/protobuf'
import { durationFromMs, timestampFromDate } from '@bufbuild/protobuf/wkt'
import { IsolationReport_Outcome, IsolationReportSchema } from '../gen/tenure/v1/isolation_report_pb.ts'
import type { IsolationReportRow, ProbeResult } from './isolation-report.ts'

/** `detail`: with findings and signature. */
export function isolationReportToProto(row: IsolationReportRow, detail: boolean) {
  return create(IsolationReportSchema, {
    name: `isolationReports/${row.reportId}`,
    uid: row.reportId,
    createTime: timestampFromDate(row.createTime),
    outcome: IsolationReport_Outcome[row.outcome],
    probes: row.probes.map((probe) => probeToProto(probe, detail)),
    tenantCount: BigInt(row.tenantCount),
    duration: durationFromMs(row.durationMs),
    serverVersion: row.serverVersion,
    schemaVersion: row.schemaVersion,
    operation: `operations/${row.operationId}`,
    signedReport: detail ? Buffer.from(row.signedReport).toString('latin1') : '',
  })
}

function probeToProto(probe: ProbeResult, detail: boolean) {
  return {
    probe: probe.probe,
    outcome: IsolationReport_Outcome[probe.outcome],
    checkedCount: BigInt(probe.checkedCount),
    findingCount: BigInt(probe.findingCount),
    findings: detail ? probe.findings.map((finding) => ({ ...finding })) : [],
    duration: durationFromMs(probe.durationMs),
    message: probe.message,
  }
}
