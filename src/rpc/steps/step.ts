import type { Validator } from '@bufbuild/protovalidate'
import type { Clock } from '../../base/clock.ts'
import type { Ids } from '../../base/ids.ts'
import type { Log } from '../../observe/log.ts'
import type { MethodMeter, Metrics } from '../../observe/metrics.ts'
import type { Handler } from '../call.ts'
import type { CallState } from '../call-state.ts'
import type { InFlightLimiter } from '../in-flight-limiter.ts'
import type { MethodPolicy } from '../method-policy.ts'
import type { AccessRecorder, Authenticator, Freshness, Gate } from '../ports.ts'

/** Answers nothing when it is done at once: the runner waits only when there is something to wait for. */
export type Step = (state: CallState) => void | Promise<void>

/** What the pipeline is given, and hands on to its steps. */
export interface PipelineParts {
  readonly authenticator: Authenticator
  readonly gate: Gate
  readonly freshness: Freshness
  readonly recorder: AccessRecorder
  /** 32 bytes, the same on every server of an installation. */
  readonly requestHashKey: Uint8Array
  readonly clock: Clock
  readonly ids: Ids
  readonly log: Log
  readonly metrics: Metrics
}

/** What the steps of every method share. */
export interface StepParts extends PipelineParts {
  readonly validator: Validator
  readonly maxDeadlineMs: number
  readonly writes: InFlightLimiter
  readonly reads: InFlightLimiter
}

/** What the steps of one method are compiled from. */
export interface StepMethod {
  readonly policy: MethodPolicy
  readonly handler: Handler<MethodPolicy['method']['input'], MethodPolicy['method']['output']>
  readonly meter: MethodMeter
}

/** Undefined: the step does not apply to the method and is left out. */
export type StepFactory = (parts: StepParts, method: StepMethod) => Step | undefined
