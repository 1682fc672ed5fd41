import { create } from '@bufbuild/protobuf'
import type { Clock } from '../../base/clock.ts'
import { isAway } from '../../base/errors.ts'
import { type Ids, platformTenantId } from '../../base/ids.ts'
import { DiagnoseIsolationResponseSchema } from '../../gen/tenure/v1/diagnostics_service_pb.ts'
import { beginOperation, platformOperationRows } from '../../operations/operation-store.ts'
import type { Directory } from '../../tenancy/directory.ts'
import type { PlatformCapability } from '../../tenancy/platform-capability.ts'
import { diagnoseIsolationKind } from '../diagnostics-service.ts'
import { isolationReportRows } from '../isolation-report-store.ts'

export interface DiagnosisScheduleParts {
  readonly directory: Directory
  readonly capability: PlatformCapability<'diagnostics'>
  readonly clock: Clock
  readonly ids: Ids
  readonly jitter: () => number
  /** 0: only when asked. */
  readonly intervalMs: number
  /** There is a new operation to be done. */
  readonly wake: () => void
  /** Hears when the last look that passed was, whichever server made it. */
  readonly passedAt: (timeMs: number) => void
  readonly failed: (error: unknown) => void
}

/** A server that has just started serves first. */
const firstAfterMs = 60_000
const longestTickMs = 60_000

/** Asks for a look when the last one is older than the interval, whichever server asked for that. */
export function startDiagnosisSchedule(parts: DiagnosisScheduleParts): Disposable {
  const { clock, intervalMs, jitter } = parts
  const startMs = clock.nowMs()
  const tickMs = intervalMs === 0 ? longestTickMs : Math.min(intervalMs, longestTickMs)
  let timer: NodeJS.Timeout | undefined
  let ended = false
  const tick = async (): Promise<void> => {
    try {
      await tellLastPassed(parts)
      if (intervalMs > 0 && (await isDue(parts, startMs))) await begin(parts)
    } catch (error) {
      // A database that is away says so itself, and the next round comes soon.
      if (!isAway(error)) parts.failed(error)
    }
    if (!ended) schedule()
  }
  const schedule = () => {
    timer = setTimeout(() => void tick(), tickMs * (0.5 + jitter())).unref()
  }
  schedule()
  return {
    [Symbol.dispose]() {
      ended = true
      clearTimeout(timer)
    },
  }
}

async function tellLastPassed({ directory, capability, passedAt }: DiagnosisScheduleParts): Promise<void> {
  const [last] = await directory.read(capability, (scope) =>
    isolationReportRows(scope).page({
      conditions: [{ sql: 'row.outcome = :outcome', parameters: { outcome: 'PASSED' } }],
      orderBy: [
        { property: 'createTime', descending: true },
        { property: 'reportId', descending: true },
      ],
      limit: 1,
      without: ['probes', 'signedReport'],
    }),
  )
  if (last !== undefined) passedAt(last.createTime.getTime())
}

/** Of which the newest that Tenure wrote is the last look: where all of them are forged, a look is due. */
const newest = 10
/** What another server's clock may be ahead. What is of later times than that was written by somebody else. */
const maxAheadMs = 60_000

async function isDue({ directory, capability, clock, intervalMs }: DiagnosisScheduleParts, startMs: number) {
  const last = await directory.read(capability, async (scope) => {
    const rows = platformOperationRows(scope)
    const page = await rows.page({
      conditions: [
        { sql: 'row.kind = :kind', parameters: { kind: diagnoseIsolationKind } },
        { sql: 'row.createTime <= :latest', parameters: { latest: new Date(clock.nowMs() + maxAheadMs) } },
      ],
      orderBy: [
        { property: 'createTime', descending: true },
        { property: 'operationId', descending: true },
      ],
      limit: newest,
    })
    return page.find(rows.isGenuine)
  })
  const dueMs = last === undefined ? startMs + firstAfterMs : last.createTime.getTime() + intervalMs
  return clock.nowMs() >= dueMs
}

async function begin({ directory, capability, ids, wake }: DiagnosisScheduleParts): Promise<void> {
  const actor = { principal: 'tenure', credential: '', requestId: ids.next(), clientIp: '' }
  const mutation = {
    ...{ event: diagnoseIsolationKind, target: '', idempotency: undefined },
    ...{ response: DiagnoseIsolationResponseSchema, validateOnly: false },
  }
  await directory.write(capability, actor, mutation, async (unit) => {
    await beginOperation(unit, {
      ...{ tenantId: platformTenantId, operationId: ids.next(), kind: diagnoseIsolationKind, target: '' },
      ...{ actor, input: {}, now: unit.now },
    })
    return create(DiagnoseIsolationResponseSchema)
  })
  wake()
}
