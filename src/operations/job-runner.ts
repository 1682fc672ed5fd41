import { toBinary } from '@bufbuild/protobuf'
import type { Clock } from '../base/clock.ts'
import { canonicalCode, isAway, TenureError } from '../base/errors.ts'
import { settledWithin } from '../base/settled-within.ts'
import type { Log } from '../observe/log.ts'
import { type Job, type JobRun, LeaseLost, OperationCancelled, type Progress } from './job.ts'
import type { OperationRow } from './operation.ts'
import { leaseMs, type OperationHome, takeUp, writeHeld } from './operation-lease.ts'

export interface JobRunnerOptions {
  readonly homes: readonly OperationHome[]
  readonly jobs: readonly Job[]
  readonly clock: Clock
  readonly jitter: () => number
  /** Of this process. */
  readonly holder: string
  readonly log: Log
  readonly ended: (kind: string, state: OperationRow['state']) => void
}

/** Does the operations that nobody else does, a few at a time. Disposing lets the others have what is not done. */
export interface JobRunner extends AsyncDisposable {
  /** Looks at once: something was asked for a moment ago. */
  wake(): void
}

/** How long a server that stops waits for what it does to come to a point. */
const endMs = 3_000
const lookMs = 1_000
const maxAtOnce = 2
const keepMs = 30 * 24 * 60 * 60 * 1_000
const sweepMs = 60 * 60 * 1_000
const sweepBatch = 100
/** A job that fails in a way nobody foresaw, or takes its server with it, is not tried for ever. */
const maxFailures = 5
const backOffMs = 5_000
/** Where an operation must not be left half done, and waits for somebody to mend what keeps it from its end. */
const longBackOffMs = 5 * 60_000

export function startJobRunner(options: JobRunnerOptions): JobRunner {
  return new Runner(options)
}

class Runner implements JobRunner {
  readonly #options: JobRunnerOptions
  readonly #stopping = new AbortController()
  readonly #running = new Set<Promise<void>>()
  #timer: NodeJS.Timeout | undefined
  #looking: Promise<void> | undefined
  #lookAgain = false
  #sweptAtMs = Number.NEGATIVE_INFINITY

  constructor(options: JobRunnerOptions) {
    this.#options = options
    this.#schedule()
  }

  wake(): void {
    if (this.#stopping.signal.aborted) return
    this.#lookAgain = true
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined
      if (this.#lookAgain) this.wake()
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#timer)
    this.#lookAgain = false
    this.#stopping.abort(new LeaseLost('the server stops'))
    // A database that swallows everything is not waited for: what is held ends with its lease.
    await settledWithin(Promise.all([this.#looking, ...this.#running]), endMs)
  }

  #schedule(): void {
    this.#timer = setTimeout(
      () => {
        this.wake()
        this.#schedule()
      },
      lookMs * (0.5 + this.#options.jitter()),
    ).unref()
  }

  async #look(): Promise<void> {
    this.#lookAgain = false
    const { homes, clock, holder, log } = this.#options
    try {
      for (const home of homes) {
        while (this.#running.size < maxAtOnce && !this.#stopping.signal.aborted) {
          const taken = await takeUp(home, clock, holder)
          if (taken === undefined) break
          this.#begin(home, taken)
        }
      }
      await this.#sweep()
    } catch (error) {
      if (!comesBack(error)) log.error({ err: error }, 'operations could not be looked for; it is tried again')
    }
  }

  #begin(home: OperationHome, operation: OperationRow): void {
    const work = this.#run(home, operation).finally(() => {
      this.#running.delete(work)
      this.wake()
    })
    this.#running.add(work)
  }

  /** Never rejects. */
  async #run(home: OperationHome, operation: OperationRow): Promise<void> {
    const { clock, log, ended } = this.#options
    const aborted = new AbortController()
    const signal = AbortSignal.any([aborted.signal, this.#stopping.signal])
    const renewal = setInterval(() => {
      writeHeld(home, operation, { leaseExpireTime: new Date(clock.nowMs() + leaseMs) }).catch((error: unknown) => {
        if (error instanceof LeaseLost) aborted.abort(error)
      })
    }, leaseMs / 3).unref()
    let changes: Partial<OperationRow>
    try {
      changes = await this.#outcome(home, operation, signal)
    } catch (error) {
      changes = this.#afterFailure(operation, error)
    } finally {
      clearInterval(renewal)
    }
    try {
      await writeHeld(home, operation, { ...changes, leaseHolder: '', updateTime: new Date(clock.nowMs()) })
      if (changes.state !== undefined) ended(operation.kind, changes.state)
    } catch (error) {
      // Its lease ends by itself, and the next server to take it up finds every step repeatable.
      if (!(error instanceof LeaseLost) && !comesBack(error))
        log.error(
          { err: error, operation: operation.operationId },
          'the end of an operation could not be written; it will be done again',
        )
    }
  }

  async #outcome(home: OperationHome, operation: OperationRow, signal: AbortSignal): Promise<Partial<OperationRow>> {
    const { clock } = this.#options
    const job = this.#jobOf(operation)
    if (operation.failureCount > maxFailures && job?.untilDone !== true)
      throw new Error('the operation was taken up too often and never came back')
    // Of a newer version, beside which this server still runs.
    if (job === undefined) throw new TenureError('STALE', 'This server does not know the kind of operation.')
    const { schema, message } = await job.run(jobRunOf(home, operation, signal, clock))
    return this.#end('SUCCEEDED', { responseType: schema.typeName, response: toBinary(schema, message) })
  }

  #afterFailure(operation: OperationRow, error: unknown): Partial<OperationRow> {
    const { clock, log } = this.#options
    const free = (pauseMs: number) => ({ leaseExpireTime: new Date(clock.nowMs() + pauseMs) })
    const comeBack = { failureCount: operation.failureCount - 1 }
    if (error instanceof OperationCancelled) {
      const { CANCELLED: code } = canonicalCode
      return this.#end('CANCELLED', { error: { code, reason: 'CANCELLED', message: 'It was asked to stop.' } })
    }
    if (error instanceof LeaseLost) return { ...free(0), ...comeBack }
    // What is away comes back; that is no failure of the operation, and no reason to give it up.
    if (comesBack(error)) return { ...free(backOffMs), ...comeBack, message: 'Waits for what is away.' }
    if (error instanceof TenureError) {
      const { reason, message } = error
      return this.#end('FAILED', { error: { code: canonicalCode[error.code], reason, message } })
    }
    log.error({ err: error, operation: operation.operationId, kind: operation.kind }, 'an operation failed')
    if (operation.failureCount < maxFailures) return free(backOffMs)
    if (this.#jobOf(operation)?.untilDone === true) {
      const message = 'Something is broken on our side, and the log says what. It goes on when that is mended.'
      return { ...free(longBackOffMs), message }
    }
    const message = `Something is broken on our side. Ask the operator about operation ${operation.operationId}.`
    return this.#end('FAILED', { error: { code: canonicalCode.INTERNAL, reason: 'INTERNAL', message } })
  }

  #jobOf({ kind }: OperationRow): Job | undefined {
    return this.#options.jobs.find((job) => job.kind === kind)
  }

  #end(state: OperationRow['state'], rest: Partial<OperationRow>): Partial<OperationRow> {
    const nowMs = this.#options.clock.nowMs()
    return { ...rest, state, endTime: new Date(nowMs), expireTime: new Date(nowMs + keepMs) }
  }

  /** Records of what ended long ago. */
  async #sweep(): Promise<void> {
    const { homes, clock } = this.#options
    if (clock.monotonicMs() - this.#sweptAtMs < sweepMs) return
    this.#sweptAtMs = clock.monotonicMs()
    const now = new Date(clock.nowMs())
    const expired = { sql: 'row.expireTime <= :now', parameters: { now } }
    for (const home of homes) {
      const old = await home.read((rows) =>
        rows.page({
          conditions: [expired],
          orderBy: [{ property: 'operationId', descending: false }],
          limit: sweepBatch,
          without: ['response'],
        }),
      )
      for (const { tenantId, operationId } of old) await home.write((rows) => rows.delete(operationId), tenantId)
    }
  }
}

function jobRunOf(home: OperationHome, operation: OperationRow, signal: AbortSignal, clock: Clock): JobRun {
  const write = async (changes: Partial<OperationRow>): Promise<OperationRow> => {
    signal.throwIfAborted()
    const nowMs = clock.nowMs()
    const renewed = { updateTime: new Date(nowMs), leaseExpireTime: new Date(nowMs + leaseMs) }
    return writeHeld(home, operation, { ...changes, ...renewed })
  }
  return {
    operation,
    signal,
    async progress({ phase, done, total, message, checkpoint }: Progress) {
      await write({ phase, done, total, message, ...(checkpoint === undefined ? {} : { checkpoint }) })
    },
    async stopIfCancelled() {
      if ((await write({})).cancelRequested) throw new OperationCancelled()
    },
  }
}

/** A database that others keep busy is away for a job as one that does not answer: both come back. */
function comesBack(error: unknown): boolean {
  return isAway(error) || (error instanceof TenureError && error.reason === 'OVERLOADED')
}
