import { fromBinary } from '@bufbuild/protobuf'
import { TenureError } from '../../base/errors.ts'
import type { StepFactory } from './step.ts'

/** Bytes to message. The decoder refuses invalid UTF-8, wrong wire types and nesting past its limit. */
export const decodeStep: StepFactory = (_parts, { policy }) => {
  const { input } = policy.method
  return (state) => {
    if (state.request !== undefined) return
    try {
      state.request = fromBinary(input, state.body ?? new Uint8Array(0))
    } catch (cause) {
      throw malformedRequest(cause)
    }
    state.body = undefined
  }
}

/** `what`: more than that it is not, in words of ours. */
export function malformedRequest(cause?: unknown, what?: string): TenureError {
  const why = what === undefined ? '' : `: ${what}`
  const message = `The request is not the message of this method${why}. Check its fields against the API reference.`
  return new TenureError('MALFORMED_REQUEST', message, { cause })
}
