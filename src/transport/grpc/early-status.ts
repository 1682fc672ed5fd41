import { Metadata, type ServerInterceptingCall, type ServerInterceptor, type StatusObject, status } from '@grpc/grpc-js'
import { type ErrorReason, TenureError } from '../../base/errors.ts'
import { type Failure, failureOf, toStatus } from '../../rpc/error-mapping.ts'
import type { Pipeline } from '../../rpc/pipeline.ts'

export const detailsTrailer = 'grpc-status-details-bin'
export const requestIdHeader = 'tenure-request-id'
export const revisionHeader = 'tenure-revision'

/** The parts of grpc-js's base call that completing a status needs; it has no public door for them. */
interface BaseCall {
  deadline: number
  deadlineTimer: NodeJS.Timeout | null
  sendStatus(status: Partial<StatusObject>): void
  handleTimeoutHeader?(header: string): void
}

const earlyReasons: ReadonlyMap<status, readonly [ErrorReason, string]> = new Map([
  [status.DEADLINE_EXCEEDED, ['DEADLINE_EXCEEDED', 'The deadline of the call passed. Repeat it with the same request id.']],
  [status.RESOURCE_EXHAUSTED, ['REQUEST_TOO_LARGE', 'The message is larger than the server takes. Send less at once.']],
  [status.INTERNAL, ['MALFORMED_REQUEST', 'The request cannot be read: its compression or its timeout is broken.']],
])

/**
 * grpc-js ends some calls by itself: deadline passed, message too large, broken compression. The interceptor gives those
 * the details every failure carries, and bounds calls whose client set no deadline, so that one that never sends its
 * body (slow-loris) ends. Rewriting the base call's own `sendStatus` is the only way to see them: they go past interceptors.
 */
export function completeEarlyStatuses(pipeline: Pipeline): ServerInterceptor {
  const { maxDeadlineMs } = pipeline.limits
  const maxTimeout = `${Math.ceil(maxDeadlineMs / 1000)}S`
  return (method, nextCall) => {
    const call = nextCall as unknown as BaseCall
    const sendStatus = call.sendStatus
    call.sendStatus = (sent) => sendStatus.call(call, sent.metadata ? sent : completed(sent, pipeline))
    if (!method.responseStream && call.deadline - pipeline.clock.nowMs() > maxDeadlineMs) {
      if (call.deadlineTimer !== null) clearTimeout(call.deadlineTimer)
      call.handleTimeoutHeader?.(maxTimeout)
    }
    return nextCall as ServerInterceptingCall
  }
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
  const early = sent.code === undefined ? undefined : earlyReasons.get(sent.code)
  if (early === undefined) return sent
  const [reason, message] = early
  const requestId = pipeline.nextRequestId()
  return statusOfFailure(failureOf(new TenureError(reason, message), requestId), requestId)
}

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
