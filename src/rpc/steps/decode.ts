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

export function malformedRequest(cause?: unknown): TenureError {
  const message = 'The request is not the message of this method. Check its fields against the API reference.'
  return new TenureError('MALFORMED_REQUEST', message, { cause })
}
