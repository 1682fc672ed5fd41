import type { ServerHttp2Stream } from 'node:http2'
import {
  Metadata,
  type ServerInterceptingCallInterface,
  type ServerListener,
  type StatusObject,
  status,
} from '@grpc/grpc-js'
import { requestIdHeader, revisionHeader } from '../../rpc/answer-headers.ts'
import type { CallState } from '../../rpc/call-state.ts'
import type { PipelineMethod } from '../../rpc/pipeline.ts'
import { cancelled } from '../../rpc/steps/deadline.ts'
import { bufferOf, statusOfFailure } from './failure-status.ts'
import { incomingOf } from './incoming.ts'

/** grpc-js's base call. Its class is not exported; what has no public door is optional here. */
export interface BaseCall extends Omit<ServerInterceptingCallInterface, 'sendStatus'> {
  readonly stream?: ServerHttp2Stream
  deadlineTimer?: NodeJS.Timeout | null
  sendStatus(sent: Partial<StatusObject>): void
}

/** What all unary calls share. */
export interface UnaryCallEvents {
  /** However it ended: nothing more comes of this call. */
  ended(base: BaseCall): void
  /** Something broke outside the pipeline, which itself never throws. */
  failed(base: BaseCall, error: unknown): void
}

const noMessage = new Uint8Array(0)
const ok: Partial<StatusObject> = { code: status.OK, details: 'OK' }

/**
 * Serves one unary call: bytes in, bytes out, answered in the same turn when the pipeline needs no promise.
 *
 * It listens to the base call itself: what grpc-js puts between that and a unary handler is a whole writable stream,
 * which costs a call more than its decision. It is its own listener and holds no closures: a call is one object.
 */
export class UnaryCall implements ServerListener {
  readonly #base: BaseCall
  readonly #method: PipelineMethod
  readonly #events: UnaryCallEvents
  #metadata: Metadata | undefined = undefined
  #message: Buffer | undefined = undefined
  #state: CallState | undefined = undefined

  constructor(base: BaseCall, method: PipelineMethod, events: UnaryCallEvents) {
    this.#base = base
    this.#method = method
    this.#events = events
  }

  /** Called by grpc-js in place of its own; the listener of its unary handler stays unused. */
  start(): void {
    this.#base.start(this)
  }

  onReceiveMetadata(metadata: Metadata): void {
    this.#metadata = metadata
    this.#base.startRead()
  }

  onReceiveMessage(message: Buffer): void {
    if (this.#message !== undefined) {
      this.#base.sendStatus({ code: status.UNIMPLEMENTED, details: 'The method takes one message; two were sent.' })
      return
    }
    this.#message = message
    this.#base.startRead()
  }

  onReceiveHalfClose(): void {
    if (this.#message === undefined || this.#metadata === undefined) {
      this.#base.sendStatus({ code: status.UNIMPLEMENTED, details: 'The method takes one message; none was sent.' })
      return
    }
    try {
      this.#run(this.#metadata, this.#message)
    } catch (error) {
      // Thrown on, it would end the process.
      this.#events.failed(this.#base, error)
    }
  }

  /** Also called when a call has ended well. */
  onCancel(): void {
    this.#state?.stop(cancelled())
    this.#events.ended(this.#base)
    // A stream lives until the next full collection; what it still holds by then is copied by every small one before.
    this.#metadata = undefined
    this.#message = undefined
    this.#state = undefined
  }

  #run(metadata: Metadata, message: Buffer): void {
    const state = this.#method.begin(incomingOf(metadata, this.#base))
    this.#state = state
    state.body = message
    const pending = this.#method.run(state)
    if (pending === undefined) {
      this.#answer(state)
      return
    }
    // From here on the pipeline's own deadline ends the call, under the call's own request id; grpc-js would answer at
    // the same moment under another.
    if (this.#base.deadlineTimer) clearTimeout(this.#base.deadlineTimer)
    pending
      .then(() => this.#answer(state))
      .catch((error: unknown) => {
        this.#events.failed(this.#base, error)
      })
  }

  #answer(state: CallState): void {
    const { failure, answerBytes } = state
    if (failure !== undefined) {
      this.#base.sendStatus(statusOfFailure(failure, state.requestId))
      return
    }
    const headers = new Metadata()
    headers.set(requestIdHeader, state.requestId)
    if (state.revision !== '') headers.set(revisionHeader, state.revision)
    this.#base.sendMetadata(headers)
    this.#base.sendMessage(bufferOf(answerBytes ?? noMessage), () => this.#base.sendStatus(ok))
  }
}
