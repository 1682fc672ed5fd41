import { constants } from 'node:http2'
import { type ServerInterceptingCall, type ServerInterceptor, type StatusObject, status } from '@grpc/grpc-js'
import { type ErrorReason, TenureError } from '../../base/errors.ts'
import { failureOf } from '../../rpc/error-mapping.ts'
import type { Pipeline } from '../../rpc/pipeline.ts'
import { deadlineExceeded } from '../../rpc/steps/deadline.ts'
import { statusOfFailure } from './failure-status.ts'
import { type BaseCall, UnaryCall, type UnaryCallEvents } from './unary-call.ts'

export interface EarlyStatuses extends Disposable {
  readonly interceptor: ServerInterceptor
}

const sweepMs = 1_000

/**
 * grpc-js ends some calls by itself: deadline passed, message too large, broken compression. The interceptor gives those
 * the details every failure carries. It also remembers the unary calls that have no status yet and ends those that are
 * older than any call may be: one that never sends its body (slow-loris) has no other end. One sweep a second costs a
 * call less than a timer of its own. Unary calls go on from here to the pipeline, not to grpc-js's own handling of them.
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
  const events: UnaryCallEvents = {
    ended: (call) => void open.delete(call),
    failed(call, error) {
      const requestId = pipeline.nextRequestId()
      call.sendStatus(statusOfFailure(pipeline.failureOf(error, requestId), requestId))
    },
  }
  const methods = new Map([...pipeline.methods].map(([name, method]) => [`/${name}`, method]))
  const interceptor: ServerInterceptor = ({ path }, nextCall) => {
    const call = nextCall as unknown as BaseCall
    const sendStatus = call.sendStatus
    // Rewriting the base call's own method is the only way: the statuses grpc-js makes go past interceptors.
    call.sendStatus = (sent) => sendStatus.call(call, sent.metadata ? sent : completed(sent, pipeline))
    const method = methods.get(path)
    if (method === undefined) return nextCall as ServerInterceptingCall
    open.set(call, clock.monotonicMs())
    return new UnaryCall(call, method, events) as unknown as ServerInterceptingCall
  }
  return { interceptor, [Symbol.dispose]: () => clearInterval(sweep) }
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
