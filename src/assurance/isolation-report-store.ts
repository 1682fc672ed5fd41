import type { PlatformReadScope } from '../tenancy/platform-scope.ts'
import type { Rows } from '../tenancy/rows.ts'
import type { IsolationReportRow } from './isolation-report.ts'
import { IsolationReportTable } from './isolation-report-table.ts'

export function isolationReportRows(scope: PlatformReadScope): Rows<IsolationReportRow> {
  return scope.rows(IsolationReportTable)
}
