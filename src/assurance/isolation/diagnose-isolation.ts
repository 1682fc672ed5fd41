import { fromBinary, toBinary } from '@bufbuild/protobuf'
import type { Clock } from '../../base/clock.ts'
import type { Ids } from '../../base/ids.ts'
import { IsolationReportSchema } from '../../gen/tenure/v1/isolation_report_pb.ts'
import { signDocument } from '../../jwt/signed-document.ts'
import type { SigningKey } from '../../jwt/signing-key.ts'
import type { AlertHook } from '../../observe/alert-hook.ts'
import type { Log } from '../../observe/log.ts'
import type { Job, JobRun } from '../../operations/job.ts'
import type { Directory } from '../../tenancy/directory.ts'
import type { PlatformCapability } from '../../tenancy/platform-capability.ts'
import { sweepRows } from '../../tenancy/sweep-rows.ts'
import { diagnoseIsolationKind } from '../diagnostics-service.ts'
import { keepMs } from '../guard-violation.ts'
import { type IsolationReportRow, outcomeOf, type ProbeResult, type SignedContent } from '../isolation-report.ts'
import { isolationReportToProto } from '../isolation-report-proto.ts'
import { isolationReportRows } from '../isolation-report-store.ts'
import { type Probe, runProbe } from './probe.ts'

export interface DiagnosisParts {
  readonly probes: readonly Probe[]
  readonly directory: Directory
  readonly capability: PlatformCapability<'diagnostics'>
  readonly clock: Clock
  readonly ids: Ids
  readonly log: Log
  readonly alerts: AlertHook
  readonly signingKey: () => SigningKey
  readonly tenantCount: () => Promise<number>
  readonly serverVersion: string
  readonly schemaVersion: number
  readonly finished: (report: IsolationReportRow) => void
}

/** Looks with every probe, one after the other, and signs what they found. Whoever takes it up after a crash looks anew. */
export function diagnoseIsolationJob(parts: DiagnosisParts): Job {
  return {
    kind: diagnoseIsolationKind,
    async run(run) {
      const report = await reportOf(parts, run)
      await store(parts, report)
      tell(parts, report)
      const message = isolationReportToProto(report, true)
      // Only what can be sent again is answered.
      return {
        schema: IsolationReportSchema,
        message: fromBinary(IsolationReportSchema, toBinary(IsolationReportSchema, message)),
      }
    },
  }
}

async function reportOf(parts: DiagnosisParts, run: JobRun): Promise<IsolationReportRow> {
  const { probes, clock, ids } = parts
  const beganMs = clock.monotonicMs()
  const results: ProbeResult[] = []
  const failed = (probe: string, error: unknown) => parts.log.error({ probe, err: error }, 'a probe could not look')
  for (const [at, probe] of probes.entries()) {
    const message = `Looking at ${probe.name}.`
    await run.progress({ phase: probe.name, done: at, total: probes.length, message })
    results.push(await runProbe(probe, clock, () => run.stopIfCancelled(), failed))
  }
  const done = probes.length
  await run.progress({ phase: 'done', done, total: done, message: 'Signing the report.' })
  const content = {
    ...{ reportId: ids.next(), operationId: run.operation.operationId, outcome: outcomeOf(results), probes: results },
    ...{ tenantCount: await parts.tenantCount(), durationMs: Math.round(clock.monotonicMs() - beganMs) },
    ...{ serverVersion: parts.serverVersion, schemaVersion: parts.schemaVersion },
  }
  const createTimeMs = clock.nowMs()
  const signed: SignedContent = { ...content, createTimeMs }
  const jws = await signDocument('tenure-isolation-report', signed, parts.signingKey())
  return { ...content, createTime: new Date(createTimeMs), signedReport: Buffer.from(jws, 'latin1') }
}

async function store({ directory, capability, clock }: DiagnosisParts, report: IsolationReportRow): Promise<void> {
  await directory.writeUnlogged(capability, async (scope) => {
    const rows = isolationReportRows(scope)
    await rows.insert(report)
    const old = { sql: 'row.createTime < :limit', parameters: { limit: new Date(clock.nowMs() - keepMs) } }
    await sweepRows(rows, { old, idProperty: 'reportId', without: ['probes', 'signedReport'] })
  })
}

function tell({ log, alerts, finished }: DiagnosisParts, report: IsolationReportRow): void {
  finished(report)
  const { outcome, reportId, durationMs, probes } = report
  if (outcome === 'PASSED') {
    log.info({ reportId, durationMs }, 'isolation was looked at, and is as it must be')
    return
  }
  const failed = probes.filter((probe) => probe.outcome !== 'PASSED')
  for (const { probe, findings, message } of failed)
    log.error({ probe, findings, message }, 'isolation is not as it must be')
  const names = failed.map(({ probe }) => probe).join(', ')
  alerts.raise('isolation.failed', { report: `isolationReports/${reportId}`, outcome, probes: names })
}
