import type { Message } from '@bufbuild/protobuf'
import type { TenureError } from '../base/errors.ts'
import type { Place } from '../base/resource-name.ts'
import type { TenantContext } from '../tenancy/tenant-context.ts'
import type { AccessDetails, Call, Caller, Idempotency } from './call.ts'
import type { Failure } from './error-mapping.ts'
import type { InFlightLimiter } from './in-flight-limiter.ts'

/** What a transport knows of a call before its body. Plain values, so that a call costs no header object. */
export interface IncomingCall {
  readonly authorization: string | undefined
  /** The header `x-workspace-id`. */
  readonly workspaceHeader: string | undefined
  /** What the client calls the request; taken over when it is short and harmless. */
  readonly clientRequestId: string | undefined
  readonly clientIp: string
  /** Milliseconds since the epoch; unset when the client set none. */
  readonly deadlineMs: number | undefined
  /** Whether the transport sends bytes (gRPC) or the message itself (Connect encodes it). */
  readonly wantsBytes: boolean
}

/**
 * One call on its way through the steps. It is also what the handler sees, through the read-only `Call`: nothing is
 * copied, and the abort controller is made only for a handler that asks for its signal.
 */
export class CallState implements Call {
  readonly method: string
  readonly auditEvent: string
  readonly incoming: IncomingCall
  readonly startedMs: number
  requestId = ''
  deadlineMs: number | undefined = undefined
  caller: Caller | undefined = undefined
  /** The bytes of the request, until `decode`; Connect sets `request` itself. */
  body: Uint8Array | undefined = undefined
  request: Message | undefined = undefined
  /** The resource name the place was taken from. */
  target = ''
  place: Place | undefined = undefined
  /** The name in the request is that of the workspace itself. */
  namesWorkspace = false
  /** An `x-workspace-id` that can only be compared once the workspace is admitted. */
  workspaceUidToMatch = ''
  context: TenantContext | undefined = undefined
  /** Set once the caller was let in: a NOT_FOUND after that is about a child, not a probe for a place. */
  admitted = false
  idempotency: Idempotency | undefined = undefined
  readmit: (() => Promise<void>) | undefined = undefined
  limiter: InFlightLimiter | undefined = undefined
  answer: Message | undefined = undefined
  answerBytes: Uint8Array | undefined = undefined
  revision = ''
  error: unknown = undefined
  failure: Failure | undefined = undefined
  closed = false
  /** Why the call ended before its handler did: its deadline, or the caller went away. */
  stopped: TenureError | undefined = undefined
  onStop: ((reason: TenureError) => void) | undefined = undefined
  #controller: AbortController | undefined = undefined
  #accessed: { readonly target: string; readonly details: AccessDetails } | undefined = undefined

  constructor(method: string, auditEvent: string, incoming: IncomingCall, startedMs: number) {
    this.method = method
    this.auditEvent = auditEvent
    this.incoming = incoming
    this.startedMs = startedMs
  }

  get clientIp(): string {
    return this.incoming.clientIp
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController()
      if (this.stopped !== undefined) this.#controller.abort(this.stopped)
    }
    return this.#controller.signal
  }

  /** What the answer gives access to; the name asked for unless the handler knows better. */
  get accessed(): { readonly target: string; readonly details: AccessDetails } {
    return this.#accessed ?? { target: this.target, details: {} }
  }

  gaveAccess(target: string, details: AccessDetails = {}): void {
    this.#accessed = { target, details }
  }

  stop(reason: TenureError): void {
    if (this.stopped !== undefined || this.closed) return
    this.stopped = reason
    this.#controller?.abort(reason)
    this.onStop?.(reason)
  }

  releaseLimiter(): void {
    this.limiter?.release()
    this.limiter = undefined
  }
}
