import { EntitySchema } from 'typeorm'
import { asciiColumn, bytesColumn, integerColumn, jsonColumn, timeColumn } from '../base/columns.ts'
import type { IsolationReportRow } from './isolation-report.ts'

export const IsolationReportTable = new EntitySchema<IsolationReportRow>({
  name: 'isolation_reports',
  columns: {
    reportId: asciiColumn('reportId', 36, { primary: true }),
    outcome: asciiColumn('outcome', 20),
    tenantCount: integerColumn('tenantCount'),
    durationMs: integerColumn('durationMs'),
    serverVersion: asciiColumn('serverVersion', 63),
    schemaVersion: integerColumn('schemaVersion'),
    operationId: asciiColumn('operationId', 36),
    probes: jsonColumn('probes'),
    signedReport: bytesColumn('signedReport'),
    createTime: timeColumn('createTime'),
  },
  indices: [{ name: 'isolation_reports_created', columns: ['createTime', 'reportId'] }],
})
