import { randomUUID } from 'node:crypto'
import { type ControlPlane, ControlPlaneError } from '../control-plane.ts'
import type { CountedViolation, GuardMode, Violation } from './guard-violation.ts'
import type { ViolationSink } from './tenant-guard.ts'
import { outsideTenant } from './tenant-session.ts'
import { ViolationTally } from './violation-tally.ts'

export interface ViolationReporterOptions {
  readonly controlPlane: ControlPlane
  /** What this service is called in the control plane's list: `orders`. */
  readonly source: string
  /** How long violations are gathered before they are sent; default 10 seconds. */
  readonly intervalMs?: number
  /** How many different ones are held at a time; default 1,000. */
  readonly maxHeld?: number
  /** Told what could not be sent, and of what was not held. What it throws is dropped. */
  readonly onError?: (error: unknown) => void
  readonly newRequestId?: () => string
}

/** Sends violations to the control plane. It never fails, slows or outlives what it watches. */
export interface ViolationReporter extends ViolationSink, AsyncDisposable {
  /** Sends what is held, as far as it can be sent now. Never rejects. */
  flush(): Promise<void>
}

const batchSize = 100
const maxCount = 1_000_000_000
const backOffStepMs = 1_000
const maxBackOffMs = 5 * 60_000
/** How long the end of a service waits for its last report. */
const lastFlushMs = 3_000

const modes: Readonly<Record<GuardMode, string>> = { enforce: 'MODE_ENFORCE', report: 'MODE_REPORT' }

/** One request, always the same body under one id: sent twice, it counts once. */
interface Batch {
  readonly request_id: string
  readonly source: string
  readonly guard_violations: readonly object[]
}

export function createViolationReporter(options: ViolationReporterOptions): ViolationReporter {
  if (!/^[a-z][a-z0-9-]{0,62}$/.test(options.source) || options.source === 'tenure') {
    throw new TypeError('createViolationReporter: source is the name of this service, like orders')
  }
  return new BatchingReporter(options)
}

class BatchingReporter implements ViolationReporter {
  readonly #options: ViolationReporterOptions
  readonly #held: ViolationTally
  #unsent: Batch[] = []
  #timer: NodeJS.Timeout | undefined
  #sending: Promise<void> | undefined
  #failures = 0
  #closed = false

  constructor(options: ViolationReporterOptions) {
    this.#options = options
    this.#held = new ViolationTally(options.maxHeld ?? 1_000)
  }

  add(violation: Violation): void {
    if (this.#closed) return
    this.#held.add(violation)
    this.#schedule(this.#options.intervalMs ?? 10_000)
  }

  flush(): Promise<void> {
    // One at a time: whoever comes meanwhile waits for the same answers.
    this.#sending ??= this.#send().finally(() => {
      this.#sending = undefined
    })
    return this.#sending
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true
    clearTimeout(this.#timer)
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, lastFlushMs)
    })
    await Promise.race([this.#sendAll(), late])
    clearTimeout(timer)
  }

  /** What came while an earlier report was under way goes too. */
  async #sendAll(): Promise<void> {
    await this.#sending
    await this.flush()
  }

  #schedule(delayMs: number): void {
    if (this.#timer !== undefined || this.#closed) return
    // Whose request happened to start it is not whose violations it sends.
    this.#timer = outsideTenant(() => setTimeout(() => this.#due(), delayMs))
    this.#timer.unref()
  }

  #due(): void {
    this.#timer = undefined
    void this.flush()
  }

  async #send(): Promise<void> {
    this.#gather()
    while (this.#unsent[0] !== undefined) {
      try {
        await this.#options.controlPlane.call('DiagnosticsService/ReportGuardViolations', this.#unsent[0])
        this.#failures = 0
      } catch (error) {
        this.#tell(error)
        // What the control plane will never take must not stand before what it would.
        if (!isFinal(error)) {
          this.#failures += 1
          this.#schedule(Math.min(maxBackOffMs, backOffStepMs * 2 ** this.#failures))
          return
        }
      }
      this.#unsent.shift()
      if (this.#unsent.length === 0) this.#gather()
    }
  }

  /** Only once what was gathered before has gone: what is held stays bounded, and counts go on meanwhile. */
  #gather(): void {
    if (this.#unsent.length > 0) return
    const { source, newRequestId = randomUUID } = this.#options
    const messages = this.#held.list().map(messageOf)
    if (this.#held.untold > 0) this.#tell(new Error(`${this.#held.untold} more violations were not held one by one`))
    this.#held.clear()
    for (let at = 0; at < messages.length; at += batchSize) {
      const guard_violations = messages.slice(at, at + batchSize)
      this.#unsent.push({ request_id: newRequestId(), source, guard_violations })
    }
  }

  #tell(error: unknown): void {
    try {
      this.#options.onError?.(error)
    } catch {
      // Whoever wanted to hear of it must not stop what goes on.
    }
  }
}

function isFinal(error: unknown): boolean {
  return error instanceof ControlPlaneError && error.code === 'invalid_argument'
}

function messageOf(violation: CountedViolation): object {
  const { reason, statement, mode, tenantUid, workspaceUid, count } = violation
  return {
    reason,
    statement: printable(statement),
    mode: modes[mode],
    ...(tenantUid === undefined ? {} : { tenant_uid: tenantUid }),
    ...(workspaceUid === undefined ? {} : { workspace_uid: workspaceUid }),
    count: Math.min(count, maxCount),
  }
}

const maxStatement = 4_096

/** A text with control characters in it could draw whatever it likes on the terminal of whoever lists it. */
function printable(statement: string): string {
  const shown = statement
    .replace(/[^\P{Cc}\n]|\p{Cs}/gu, ' ')
    .slice(0, maxStatement)
    .replace(/\p{Cs}$/u, '')
  return shown.trim() === '' ? '(empty)' : shown
}
