import { create } from '@bufbuild/protobuf'
import type { Ids, TenantId } from '../base/ids.ts'
import {
  type ReportGuardViolationsRequest,
  type ReportGuardViolationsResponse,
  ReportGuardViolationsResponseSchema,
} from '../gen/tenure/v1/diagnostics_service_pb.ts'
import { actorOf, type Call, mutationOf } from '../rpc/call.ts'
import type { AccessFact } from '../tenancy/access-batch.ts'
import type { Directory } from '../tenancy/directory.ts'
import type { PlatformCapabilities } from '../tenancy/platform-capability.ts'
import { seenViolationFromProto } from './guard-violation-proto.ts'
import { recordViolation } from './guard-violation-store.ts'

export interface ReportParts {
  readonly directory: Directory
  readonly capabilities: PlatformCapabilities
  readonly ids: Ids
  readonly accessLog: { record(fact: AccessFact): void }
  /** Whether there is such a tenant, and stands: a service may report anything. */
  readonly isTenant: (tenantUid: string) => Promise<boolean>
}

/** Takes them down in one unit, and tells each tenant concerned in its own chain. */
export async function reportGuardViolations(
  parts: ReportParts,
  request: ReportGuardViolationsRequest,
  call: Call,
): Promise<ReportGuardViolationsResponse> {
  const seen = request.guardViolations.map((violation) => seenViolationFromProto(violation, request.source))
  let isNew = false
  const mutation = mutationOf(call, ReportGuardViolationsResponseSchema, { target: '' })
  const answer = await parts.directory.write(parts.capabilities.diagnostics, actorOf(call), mutation, async (unit) => {
    isNew = true
    for (const each of seen) await recordViolation(unit, each, unit.now, parts.ids)
    unit.note('source', request.source)
    unit.note('violations', seen.length)
    return create(ReportGuardViolationsResponseSchema, { revision: unit.revision })
  })
  // A repeated request id was told of the first time.
  if (!isNew) return answer
  for (const tenantUid of new Set(seen.map((each) => each.tenantUid))) {
    if (tenantUid === '' || !(await parts.isTenant(tenantUid))) continue
    const own = seen.filter((each) => each.tenantUid === tenantUid)
    parts.accessLog.record({
      tenantId: tenantUid as TenantId,
      context: undefined,
      ...{ actor: actorOf(call), event: 'guard.refuse', target: request.source, denied: true },
      reason: own[0]?.reason ?? '',
      details: {
        source: request.source,
        statements: own.length,
        modes: [...new Set(own.map(({ guardMode }) => guardMode))],
      },
    })
  }
  return answer
}
