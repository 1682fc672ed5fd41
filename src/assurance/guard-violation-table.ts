import { EntitySchema } from 'typeorm'
import { asciiColumn, bytesColumn, integerColumn, textColumn, timeColumn } from '../base/columns.ts'
import type { GuardViolationRow } from './guard-violation.ts'

export const GuardViolationTable = new EntitySchema<GuardViolationRow>({
  name: 'guard_violations',
  columns: {
    violationId: asciiColumn('violationId', 36, { primary: true }),
    fingerprint: bytesColumn('fingerprint', { length: 32 }),
    source: asciiColumn('source', 63),
    tenantUid: asciiColumn('tenantUid', 36),
    workspaceUid: asciiColumn('workspaceUid', 36),
    reason: asciiColumn('reason', 40),
    statement: textColumn('statement', 4096),
    guardMode: asciiColumn('guardMode', 20),
    seenCount: integerColumn('seenCount'),
    firstTime: timeColumn('firstTime'),
    lastTime: timeColumn('lastTime'),
  },
  indices: [
    { name: 'guard_violations_fingerprint', columns: ['fingerprint'], unique: true },
    { name: 'guard_violations_seen', columns: ['lastTime', 'violationId'] },
  ],
})
