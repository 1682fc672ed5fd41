import type { DescMessage, DescMethod, DescService } from '@bufbuild/protobuf'
import { createValidator } from '@bufbuild/protovalidate'
import type { Clock } from '../base/clock.ts'
import type { TenureError } from '../base/errors.ts'
import type { Log } from '../observe/log.ts'
import { fullMethodName } from './builtin-policies.ts'
import type { Handler, ServiceImplementation } from './call.ts'
import { CallState, type IncomingCall } from './call-state.ts'
import { type Failure, failureOf } from './error-mapping.ts'
import { createInFlightLimiter } from './in-flight-limiter.ts'
import type { LimitClass, MethodPolicy } from './method-policy.ts'
import { createPatternMatcher } from './pattern-matcher.ts'
import { runSteps } from './run-steps.ts'
import { accountStep } from './steps/account.ts'
import { auditStep } from './steps/audit.ts'
import { authenticateStep } from './steps/authenticate.ts'
import { authorizeStep } from './steps/authorize.ts'
import { deadlineStep } from './steps/deadline.ts'
import { decodeStep } from './steps/decode.ts'
import { freshnessStep } from './steps/freshness.ts'
import { handleStep } from './steps/handle.ts'
import { idempotencyStep } from './steps/idempotency.ts'
import { limitStep } from './steps/limit.ts'
import { mapErrorsStep } from './steps/map-errors.ts'
import { observeStep } from './steps/observe.ts'
import { requestIdStep } from './steps/request-id.ts'
import { resolveTenantStep } from './steps/resolve-tenant.ts'
import type { PipelineParts, Step, StepFactory, StepMethod, StepParts } from './steps/step.ts'
import { validateStep } from './steps/validate.ts'
import type { StreamMethod } from './stream.ts'

/**
 * The way of a call, in this order. `open` runs before the body is looked at, so that a caller without a credential
 * learns nothing about it; `act` runs from the body to the answer; `close` runs always, whatever was thrown (the runner
 * recovers it) — the audit before the mapping, so that it sees the reason, and the count last, so that it sees the code.
 */
export const pipelineSteps: readonly { name: string; phase: 'open' | 'act' | 'close'; make: StepFactory }[] = [
  { name: 'requestId', phase: 'open', make: requestIdStep },
  { name: 'deadline', phase: 'open', make: deadlineStep },
  { name: 'authenticate', phase: 'open', make: authenticateStep },
  { name: 'decode', phase: 'act', make: decodeStep },
  { name: 'validate', phase: 'act', make: validateStep },
  { name: 'resolveTenant', phase: 'act', make: resolveTenantStep },
  { name: 'authorize', phase: 'act', make: authorizeStep },
  { name: 'freshness', phase: 'act', make: freshnessStep },
  { name: 'limit', phase: 'act', make: limitStep },
  { name: 'idempotency', phase: 'act', make: idempotencyStep },
  { name: 'handle', phase: 'act', make: handleStep },
  { name: 'account', phase: 'act', make: accountStep },
  { name: 'audit', phase: 'close', make: auditStep },
  { name: 'mapErrors', phase: 'close', make: mapErrorsStep },
  { name: 'observe', phase: 'close', make: observeStep },
]

export interface PipelineLimits {
  /** The longest a call may take, whatever its client asks for. */
  readonly maxDeadlineMs: number
  readonly maxWritesInFlight: number
  /** READ and CHECK together. */
  readonly maxReadsInFlight: number
  /** Health watchers and reflection together. */
  readonly maxStreams: number
  readonly retryAfterMs: number
  readonly maxRequestBytes: number
}

const defaultPipelineLimits: PipelineLimits = {
  maxDeadlineMs: 30_000,
  maxWritesInFlight: 256,
  maxReadsInFlight: 2048,
  maxStreams: 1024,
  retryAfterMs: 1_000,
  maxRequestBytes: 1024 * 1024,
}

export interface PipelineOptions extends PipelineParts {
  readonly services: readonly ServiceImplementation[]
  /** Streaming methods: health and reflection. They are public and take no part in the steps. */
  readonly streams?: readonly StreamMethod[]
  readonly policies: ReadonlyMap<string, MethodPolicy>
  readonly limits?: Partial<PipelineLimits>
}

/** One unary method, compiled. A failed call has `state.failure`, every other an answer. Nothing here rejects. */
export interface PipelineMethod {
  readonly policy: MethodPolicy
  /** Names of the steps that apply, in order. */
  readonly stepNames: readonly string[]
  begin(incoming: IncomingCall): CallState
  /** The whole way: for transports that have the body already, in `state.body`. */
  run(state: CallState): void | Promise<void>
  /** Up to the body: for transports that can refuse before they read it. */
  open(state: CallState): void | Promise<void>
  /** From the body on, in `state.request`. */
  act(state: CallState): void | Promise<void>
  /** Ends a call that a transport gave up before `act`. */
  fail(state: CallState, error: TenureError): void
}

export interface Pipeline {
  readonly services: readonly DescService[]
  /** By full name, e.g. `tenure.v1.TenantService/CreateTenant`. */
  readonly methods: ReadonlyMap<string, PipelineMethod>
  readonly streams: ReadonlyMap<string, StreamMethod>
  readonly limits: PipelineLimits
  readonly clock: Clock
  readonly log: Log
  nextRequestId(): string
  /** For what fails outside any method's steps: streams, and errors a transport finds by itself. */
  failureOf(error: unknown, requestId: string): Failure
}

export function createPipeline(options: PipelineOptions): Pipeline {
  const limits = { ...defaultPipelineLimits, ...options.limits }
  const parts = stepParts(options, limits)
  const methods = new Map<string, PipelineMethod>()
  for (const { service, handlers } of options.services) {
    for (const method of service.methods.filter((candidate) => candidate.methodKind === 'unary')) {
      const handler = handlers[method.localName]
      if (handler === undefined) throw new Error(`${fullMethodName(method)} has no handler`)
      methods.set(fullMethodName(method), compileMethod(options, parts, method, handler))
    }
  }
  return {
    services: options.services.map((implementation) => implementation.service),
    methods,
    streams: boundedStreams(options, limits),
    limits,
    clock: options.clock,
    log: options.log,
    nextRequestId: () => options.ids.next(),
    failureOf: (error, requestId) => loggedFailure(options.log, error, requestId),
  }
}

/** A stream stays open as long as its caller likes: without a bound, strangers could hold any number. */
function boundedStreams(options: PipelineOptions, limits: PipelineLimits): ReadonlyMap<string, StreamMethod> {
  const refused = () => options.metrics.overloaded('STREAM')
  const limiter = createInFlightLimiter(limits.maxStreams, limits.retryAfterMs, refused)
  options.metrics.watchInFlight('STREAM', () => limiter.inFlight)
  const streams = new Map<string, StreamMethod>()
  for (const { method, open } of options.streams ?? []) {
    streams.set(fullMethodName(method), {
      method,
      async *open(requests, call) {
        limiter.acquire()
        try {
          yield* open(requests, call)
        } finally {
          limiter.release()
        }
      },
    })
  }
  return streams
}

function stepParts(options: PipelineOptions, limits: PipelineLimits): StepParts {
  const { metrics } = options
  const limiter = (max: number, limitClass: LimitClass) => {
    const made = createInFlightLimiter(max, limits.retryAfterMs, () => metrics.overloaded(limitClass))
    metrics.watchInFlight(limitClass, () => made.inFlight)
    return made
  }
  return {
    ...options,
    validator: createValidator({ regexMatch: createPatternMatcher() }),
    maxDeadlineMs: limits.maxDeadlineMs,
    writes: limiter(limits.maxWritesInFlight, 'WRITE'),
    reads: limiter(limits.maxReadsInFlight, 'READ'),
  }
}

function compileMethod(
  options: PipelineOptions,
  parts: StepParts,
  method: DescMethod,
  handler: Handler<DescMessage, DescMessage>,
): PipelineMethod {
  const name = fullMethodName(method)
  const policy = options.policies.get(name)
  if (policy === undefined) throw new Error(`${name} has no method policy`)
  const stepMethod: StepMethod = { policy, handler, meter: options.metrics.forMethod(name) }
  const stepNames: string[] = []
  const phases: Record<'open' | 'act' | 'close', Step[]> = { open: [], act: [], close: [] }
  for (const step of pipelineSteps) {
    const made = step.make(parts, stepMethod)
    if (made === undefined) continue
    stepNames.push(step.name)
    phases[step.phase].push(made)
  }
  return compiled(policy, stepNames, phases, parts)
}

function compiled(
  policy: MethodPolicy,
  stepNames: readonly string[],
  phases: Readonly<Record<'open' | 'act' | 'close', readonly Step[]>>,
  parts: StepParts,
): PipelineMethod {
  const { name, auditEvent } = policy
  const nowMs = () => parts.clock.nowMs()
  const close = (state: CallState) => closeCall(state, phases.close, parts)
  const all = [...phases.open, ...phases.act]
  const finish = (state: CallState, steps: readonly Step[]) => {
    const pending = runSteps(state, steps, nowMs)
    return pending === undefined ? close(state) : pending.then(() => close(state))
  }
  const closeIfFailed = (state: CallState) => {
    if (state.error !== undefined) close(state)
  }
  return {
    policy,
    stepNames,
    begin: (incoming) => new CallState(name, auditEvent, incoming, parts.clock.monotonicMs()),
    run: (state) => finish(state, all),
    open: (state) => {
      const pending = runSteps(state, phases.open, nowMs)
      return pending === undefined ? closeIfFailed(state) : pending.then(() => closeIfFailed(state))
    },
    act: (state) => finish(state, phases.act),
    fail: (state, error) => {
      if (state.closed) return
      state.error = error
      close(state)
    },
  }
}

function closeCall(state: CallState, steps: readonly Step[], parts: StepParts): void {
  if (state.closed) return
  state.closed = true
  for (const step of steps) {
    try {
      step(state)
    } catch (error) {
      // An answer whose audit could not be kept is not given; a refusal stays a refusal.
      parts.log.error({ err: error, method: state.method, requestId: state.requestId }, 'closing step failed')
      state.error ??= error
    }
  }
  if (state.error !== undefined) state.failure ??= failureOf(state.error, state.requestId)
}

function loggedFailure(log: Log, error: unknown, requestId: string): Failure {
  const failure = failureOf(error, requestId)
  if (failure.reason === 'INTERNAL') log.error({ err: error, requestId }, 'call failed')
  return failure
}
