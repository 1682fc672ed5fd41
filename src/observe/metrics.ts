import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'

/** The meters of one method, bound once so that a call looks nothing up by label. */
export interface MethodMeter {
  finished(code: string, durationMs: number): void
}

/** What the process counts. Labels are closed lists (methods, codes, reasons), never names of tenants: cardinality is bounded. */
export interface Metrics {
  forMethod(method: string): MethodMeter
  guardRefused(rule: string): void
  accessDecided(reason: string): void
  accessDenied(reason: string): void
  /** A row that grants power and carries no code, or a wrong one; each time it is met. */
  rowForged(table: string): void
  overloaded(limitClass: string): void
  operationEnded(kind: string, state: string): void
  /** A look at isolation: how it came out, and what each probe found. */
  isolationLooked(outcome: string, findings: ReadonlyMap<string, number>): void
  isolationPassedAt(timeMs: number): void
  /** Everything committed before that time is in a signed checkpoint outside the database. */
  auditCheckpointed(timeMs: number): void
  /** So many audit chains are not what was signed for. */
  auditChainsRewritten(count: number): void
  /** `outcome`: `ok`, or why not. */
  keyringCalled(operation: string, outcome: string, durationMs: number): void
  /** Asked at every scrape: age in seconds of what decisions are made from; NaN before the first load. */
  watchFeedFreshness(ageSeconds: () => number): void
  watchInFlight(limitClass: string, count: () => number): void
  readonly contentType: string
  text(): Promise<string>
}

const latencyBucketsSeconds = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
]

export interface MetricsOptions {
  /** Process and runtime metrics beside our own. */
  readonly runtime?: boolean
}

export function createMetrics(options: MetricsOptions = {}): Metrics {
  const registry = new Registry()
  if (options.runtime === true) collectDefaultMetrics({ register: registry })
  const registers = [registry]
  const handled = new Counter({
    name: 'tenure_rpc_handled_total',
    help: 'Calls answered, by method and code.',
    labelNames: ['method', 'code'],
    registers,
  })
  const latency = new Histogram({
    name: 'tenure_rpc_duration_seconds',
    help: 'Time from the start of a call to its answer.',
    labelNames: ['method'],
    buckets: latencyBucketsSeconds,
    registers,
  })
  const counter = (name: string, help: string, label: string) =>
    new Counter({ name, help, labelNames: [label], registers })
  const refusals = counter('tenure_guard_refusals_total', 'Statements the guard refused.', 'rule')
  const decisions = counter('tenure_access_decisions_total', 'Answers of the decision engine.', 'reason')
  const denials = counter('tenure_access_denials_total', 'Calls refused to an authenticated caller.', 'reason')
  const forged = counter(
    'tenure_row_code_failures_total',
    'Rows that grant power and were not written by this installation, each time one is met.',
    'table',
  )
  const overload = counter('tenure_overloaded_total', 'Calls refused because too many are running.', 'class')
  const inFlight = new Map<string, () => number>()
  watchedGauge(registers, inFlight)
  const byReason = new Map<string, Counter.Internal>()
  return {
    forMethod: (method) => meterFor(method, handled, latency),
    guardRefused: (rule) => refusals.inc({ rule }),
    accessDecided: (reason) => boundCounter(decisions, byReason, reason).inc(),
    accessDenied: (reason) => denials.inc({ reason }),
    rowForged: (table) => forged.inc({ table }),
    overloaded: (limitClass) => overload.inc({ class: limitClass }),
    ...backgroundMeters(registers),
    keyringCalled: keyringMeter(registers),
    watchFeedFreshness: (ageSeconds) => freshnessGauge(registers, ageSeconds),
    watchInFlight: (limitClass, count) => void inFlight.set(limitClass, count),
    contentType: registry.contentType,
    text: () => registry.metrics(),
  }
}

function keyringMeter(registers: Registry[]): Metrics['keyringCalled'] {
  const keyringCalls = new Counter({
    name: 'tenure_keyring_calls_total',
    help: 'Questions to the keyring.',
    labelNames: ['operation', 'outcome'],
    registers,
  })
  const keyringLatency = new Histogram({
    name: 'tenure_keyring_duration_seconds',
    help: 'Time the keyring took to answer.',
    labelNames: ['operation'],
    buckets: latencyBucketsSeconds,
    registers,
  })
  return (operation, outcome, durationMs) => {
    keyringCalls.inc({ operation, outcome })
    keyringLatency.observe({ operation }, durationMs / 1000)
  }
}

/** Counted for every decision: bound once for each reason, so that nothing is looked up by label. */
function boundCounter(counter: Counter, bound: Map<string, Counter.Internal>, reason: string): Counter.Internal {
  let one = bound.get(reason)
  if (one === undefined) {
    one = counter.labels(reason)
    bound.set(reason, one)
  }
  return one
}

function meterFor(method: string, handled: Counter, latency: Histogram): MethodMeter {
  const durations = latency.labels(method)
  const byCode = new Map<string, Counter.Internal>()
  return {
    finished(code, durationMs) {
      let count = byCode.get(code)
      if (count === undefined) {
        count = handled.labels(method, code)
        byCode.set(code, count)
      }
      count.inc()
      durations.observe(durationMs / 1000)
    },
  }
}

function backgroundMeters(
  registers: Registry[],
): Pick<
  Metrics,
  'operationEnded' | 'isolationLooked' | 'isolationPassedAt' | 'auditCheckpointed' | 'auditChainsRewritten'
> {
  const operations = new Counter({
    name: 'tenure_operations_ended_total',
    help: 'Long-running operations that ended, by kind and state.',
    labelNames: ['kind', 'state'],
    registers,
  })
  const looks = new Counter({
    name: 'tenure_isolation_reports_total',
    help: 'Looks at the isolation of all tenants that this server made, by outcome.',
    labelNames: ['outcome'],
    registers,
  })
  const findings = new Gauge({
    name: 'tenure_isolation_findings',
    help: 'What the last look of this server found, by probe.',
    labelNames: ['probe'],
    registers,
  })
  const passed = new Gauge({
    name: 'tenure_isolation_last_success_timestamp_seconds',
    help: 'When the last look at isolation passed, whichever server made it; 0: none has.',
    registers,
  })
  return {
    operationEnded: (kind, state) => operations.inc({ kind, state }),
    isolationLooked(outcome, found) {
      looks.inc({ outcome })
      for (const [probe, count] of found) findings.set({ probe }, count)
    },
    isolationPassedAt: (timeMs) => passed.set(timeMs / 1000),
    ...checkpointMeters(registers),
  }
}

function checkpointMeters(registers: Registry[]): Pick<Metrics, 'auditCheckpointed' | 'auditChainsRewritten'> {
  const current = new Gauge({
    name: 'tenure_audit_checkpoint_timestamp_seconds',
    help: 'Everything committed before is in a signed checkpoint outside the database, as this server knows it.',
    registers,
  })
  const rewritten = new Gauge({
    name: 'tenure_audit_chains_rewritten',
    help: 'Audit chains that are not what a checkpoint says they were.',
    registers,
  })
  return {
    auditCheckpointed: (timeMs) => current.set(timeMs / 1000),
    auditChainsRewritten: (count) => rewritten.set(count),
  }
}

function freshnessGauge(registers: Registry[], ageSeconds: () => number): void {
  new Gauge({
    name: 'tenure_feed_freshness_seconds',
    help: 'Age of what decisions are made from.',
    registers,
    collect() {
      this.set(ageSeconds())
    },
  })
}

function watchedGauge(registers: Registry[], counts: ReadonlyMap<string, () => number>): void {
  new Gauge({
    name: 'tenure_rpc_in_flight',
    help: 'Calls being handled now, by limit class.',
    labelNames: ['class'],
    registers,
    collect() {
      for (const [limitClass, count] of counts) this.set({ class: limitClass }, count())
    },
  })
}
