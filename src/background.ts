import type { CheckpointKeeper } from './assurance/checkpoints/checkpoint-keeper.ts'
import { startDiagnosisSchedule } from './assurance/isolation/diagnosis-schedule.ts'
import { openAuditCheckpoints } from './audit-checkpoints.ts'
import { settledWithin } from './base/settled-within.ts'
import type { Config } from './config/config.ts'
import { openDiagnosis } from './diagnosis.ts'
import { openGuardRefusals } from './guard-refusals.ts'
import { openJobs } from './jobs.ts'
import type { Keys } from './keys.ts'
import { type AlertHook, createAlertHook, noAlerts } from './observe/alert-hook.ts'
import type { JobRunner } from './operations/job-runner.ts'
import type { Platform } from './platform.ts'
import type { Pipeline } from './rpc/pipeline.ts'
import type { Runtime } from './server.ts'
import type { Background } from './service-list.ts'

/** What a server does beside calls: long operations, looks at isolation, and telling of refusals. */
export interface BackgroundWork extends Omit<Background, 'evidence'>, AsyncDisposable {
  /** Once there is something to call. */
  start(pipeline: Pipeline): void
}

export function openBackground(config: Config, runtime: Runtime, platform: Platform, keys: Keys): BackgroundWork {
  const stack = new AsyncDisposableStack()
  const alerts = stack.use(openAlerts(config, runtime))
  platform.onForgedRow(({ table, tenantId, id }) =>
    alerts.raise('row.forged', { table, tenant_uid: tenantId, row: id }),
  )
  const violations = stack.use(openGuardRefusals(platform, runtime, alerts))
  const checkpoints = openAuditCheckpoints(config, runtime, platform, keys, alerts)
  const late: { jobs?: JobRunner } = {}
  // Together: where the database is away each waits its time.
  stack.defer(async () => {
    await Promise.all([late.jobs?.[Symbol.asyncDispose](), endCheckpoints(platform, checkpoints)])
  })
  const wake = () => late.jobs?.wake()
  return {
    wake,
    flushViolations: () => violations.flush(),
    start(pipeline) {
      const diagnosis = openDiagnosis(config, runtime, platform, keys, pipeline, alerts)
      late.jobs = openJobs(platform, runtime, keys, [diagnosis])
      stack.use(
        startDiagnosisSchedule({
          ...{ directory: platform.directory, capability: platform.capabilities.diagnostics, ...runtime },
          ...{ intervalMs: config.diagnosticsIntervalMs, wake, passedAt: runtime.metrics.isolationPassedAt },
          failed: (error) => runtime.log.error({ err: error }, 'a look at isolation could not be asked for'),
        }),
      )
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}

const lastChangesMs = 1_000

/** The last checkpoint is to hold what was done until the end. */
async function endCheckpoints({ accessLog, feeds }: Platform, checkpoints: CheckpointKeeper): Promise<void> {
  const heard = accessLog.flush().then(() => Promise.all([feeds.followCell(), feeds.followDirectory()]))
  await settledWithin(heard, lastChangesMs)
  await checkpoints[Symbol.asyncDispose]()
}

function openAlerts({ alerts }: Config, { clock, ids, log }: Runtime): AlertHook {
  if (alerts === undefined) return noAlerts
  const failed = (type: string, reason: string) => log.error({ type, reason }, 'an alert could not be delivered')
  return createAlertHook({ ...alerts, clock, ids, failed })
}
