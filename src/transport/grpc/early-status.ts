import { constants, type ServerHttp2Stream } from 'node:http2'
import { Metadata, type ServerInterceptingCall, type ServerInterceptor, type StatusObject, status } from '@grpc/grpc-js'
import { type ErrorReason, TenureError } from '../../base/errors.ts'
import { requestIdHeader } from '../../rpc/answer-headers.ts'
import { type Failure, failureOf, toStatus } from '../../rpc/error-mapping.ts'
import type { Pipeline } from '../../rpc/pipeline.ts'
import { deadlineExceeded } from '../../rpc/steps/deadline.ts'

const detailsTrailer = 'grpc-status-details-bin'

/** The parts of grpc-js's base call that completing a status needs; it has no public door for them. */
interface BaseCall {
  readonly stream?: ServerHttp2Stream
  deadlineTimer: NodeJS.Timeout | null
  sendStatus(status: Partial<StatusObject>): void
}

export interface EarlyStatuses extends Disposable {
  readonly interceptor: ServerInterceptor
}

const sweepMs = 1_000

/**
 * grpc-js ends some calls by itself: deadline passed, message too large, broken compression. The interceptor gives those
 * the details every failure carries. It also remembers the unary calls that have no status yet and ends those that are
 * older than any call may be: one that never sends its body (slow-loris) has no other end. One sweep a second costs a
 * call less than a timer of its own.
 */
export function completeEarlyStatuses(pipeline: Pipeline): EarlyStatuses {
  const { clock, limits } = pipeline
  const open = new Map<BaseCall, number>()
  const sweep = setInterval(() => {
    // The pipeline's own deadline comes first; this is for calls that never reached it.
    const oldestMs = clock.monotonicMs() - limits.maxDeadlineMs - sweepMs
    for (const [call, startedMs] of open) {
      if (startedMs > oldestMs) break
      call.sendStatus({ code: status.DEADLINE_EXCEEDED })
      open.delete(call)
      // The answer alone leaves the client's half open, and with it the stream.
      call.stream?.close(constants.NGHTTP2_NO_ERROR)
    }
  }, sweepMs)
  sweep.unref()
  const interceptor: ServerInterceptor = (method, nextCall) => {
    const call = nextCall as unknown as BaseCall
    if (!method.responseStream) open.set(call, clock.monotonicMs())
    // Rewriting the base call's own method is the only way: the statuses grpc-js makes go past interceptors.
    const sendStatus = call.sendStatus
    call.sendStatus = (sent) => {
      open.delete(call)
      sendStatus.call(call, sent.metadata ? sent : completed(sent, pipeline))
    }
    return nextCall as ServerInterceptingCall
  }
  return { interceptor, [Symbol.dispose]: () => clearInterval(sweep) }
}

/**
 * From here on the pipeline's own deadline ends the call, under the call's own request id; grpc-js would answer at the
 * same moment under another.
 */
export function leaveDeadlineToPipeline(unaryCall: object): void {
  const { call } = unaryCall as { call?: Partial<BaseCall> }
  if (call?.deadlineTimer) clearTimeout(call.deadlineTimer)
}

function completed(sent: Partial<StatusObject>, pipeline: Pipeline): Partial<StatusObject> {
  const early = sent.code === undefined || sent.code === status.OK ? undefined : earlyError(sent.code)
  if (early === undefined) return sent
  const requestId = pipeline.nextRequestId()
  return statusOfFailure(failureOf(early, requestId), requestId)
}

/** Undefined: it carries a code only (unknown method, unknown compression). */
function earlyError(code: status): TenureError | undefined {
  if (code === status.DEADLINE_EXCEEDED) return deadlineExceeded()
  const early = earlyReasons.get(code)
  return early === undefined ? undefined : new TenureError(early[0], early[1])
}

const earlyReasons: ReadonlyMap<status, readonly [ErrorReason, string]> = new Map([
  [status.RESOURCE_EXHAUSTED, ['REQUEST_TOO_LARGE', 'The message is larger than the server takes. Send less at once.']],
  [status.INTERNAL, ['MALFORMED_REQUEST', 'The request cannot be read: its compression or its timeout is broken.']],
])

export function statusOfFailure(failure: Failure, requestId: string): StatusObject {
  const metadata = new Metadata()
  metadata.set(requestIdHeader, requestId)
  metadata.set(detailsTrailer, bufferOf(toStatus(failure)))
  return { code: failure.codeNumber, details: failure.message, metadata }
}

/** A view, not a copy. */
export function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
