import { create } from '@bufbuild/protobuf'
import { timestampFromDate } from '@bufbuild/protobuf/wkt'
import { type GuardViolation, GuardViolation_Mode, GuardViolationSchema } from '../gen/tenure/v1/guard_violation_pb.ts'
import type { GuardViolationRow, SeenViolation } from './guard-violation.ts'

export function guardViolationToProto(row: GuardViolationRow): GuardViolation {
  return create(GuardViolationSchema, {
    name: `guardViolations/${row.violationId}`,
    uid: row.violationId,
    source: row.source,
    tenantUid: row.tenantUid,
    workspaceUid: row.workspaceUid,
    reason: row.reason,
    statement: row.statement,
    mode: GuardViolation_Mode[row.guardMode],
    count: BigInt(row.seenCount),
    firstTime: timestampFromDate(row.firstTime),
    lastTime: timestampFromDate(row.lastTime),
  })
}

export function seenViolationFromProto(violation: GuardViolation, source: string): SeenViolation {
  const { tenantUid, workspaceUid, reason, statement, count } = violation
  const guardMode = violation.mode === GuardViolation_Mode.REPORT ? 'REPORT' : 'ENFORCE'
  return { source, tenantUid, workspaceUid, reason, statement, guardMode, seenCount: Number(count) }
}
