import { Code, ConnectError } from '@connectrpc/connect'
import { TenureError } from '../../base/errors.ts'
import { requestIdHeader } from '../../rpc/answer-headers.ts'
import type { Failure } from '../../rpc/error-mapping.ts'
import { cancelled, deadlineExceeded } from '../../rpc/steps/deadline.ts'
import { malformedRequest } from '../../rpc/steps/decode.ts'

export function connectErrorOf(failure: Failure, requestId: string): ConnectError {
  const error = new ConnectError(failure.message, failure.codeNumber as Code, { [requestIdHeader]: requestId })
  error.details = failure.details.map(({ desc, value }) => ({ desc, value }))
  return error
}

/** What connect-node refuses by itself, as a failure of ours. Undefined: it carries a code only (unknown compression). */
export function tenureErrorOf(error: ConnectError): TenureError | undefined {
  switch (error.code) {
    // A body that cannot be parsed is `invalid_argument` as JSON but `internal` as binary; both are the caller's doing.
    case Code.InvalidArgument:
    case Code.Internal:
      return malformedRequest(error, unknownFieldIn(error.rawMessage))
    case Code.ResourceExhausted:
      return new TenureError('REQUEST_TOO_LARGE', 'The message is larger than the server takes. Send less at once.')
    case Code.DeadlineExceeded:
      return deadlineExceeded()
    case Code.Canceled:
    case Code.Aborted:
      return cancelled()
    case Code.Unavailable:
      return shuttingDown()
    default:
      return undefined
  }
}

/**
 * Whoever mistypes a name is told of which message. The name itself is not repeated, nor anything else the decoder says: a
 * secret sent in a wrong form may be either.
 */
function unknownFieldIn(decoders: string): string | undefined {
  const found = /^cannot decode message ([\w.]{1,100}) from JSON: key "[^"]*" is unknown$/.exec(decoders)
  return found === null ? undefined : `it names a field that ${found[1]} does not have`
}

export function shuttingDown(): TenureError {
  return new TenureError('SHUTTING_DOWN', 'This server is going away. Retry; another one answers.')
}

/** Fills in an error that connect-node made, in place: it is about to write exactly this object. */
export function completeInPlace(error: ConnectError, failure: Failure, requestId: string): void {
  const writable = error as { code: Code; rawMessage: string }
  writable.code = failure.codeNumber as Code
  writable.rawMessage = failure.message
  error.details = failure.details.map(({ desc, value }) => ({ desc, value }))
  error.metadata.set(requestIdHeader, requestId)
}
