import { Metadata, type ServerUnaryCall, type sendUnaryData } from '@grpc/grpc-js'
import { requestIdHeader, revisionHeader } from '../../rpc/answer-headers.ts'
import type { CallState } from '../../rpc/call-state.ts'
import type { PipelineMethod } from '../../rpc/pipeline.ts'
import { cancelled } from '../../rpc/steps/deadline.ts'
import { bufferOf, leaveDeadlineToPipeline, statusOfFailure } from './early-status.ts'
import { incomingOf } from './incoming.ts'

/** Serves one unary method: bytes in, bytes out, answered in the same turn when the pipeline needs no promise. */
export function unaryMethod(method: PipelineMethod) {
  return (call: ServerUnaryCall<Buffer, Buffer>, callback: sendUnaryData<Buffer>): void => {
    const state = method.begin(incomingOf(call))
    state.body = call.request
    const pending = method.run(state)
    if (pending === undefined) {
      answer(state, call, callback)
      return
    }
    leaveDeadlineToPipeline(call)
    call.on('cancelled', () => state.stop(cancelled()))
    pending.then(() => answer(state, call, callback))
  }
}

function answer(state: CallState, call: ServerUnaryCall<Buffer, Buffer>, callback: sendUnaryData<Buffer>): void {
  const { failure, answerBytes } = state
  if (failure !== undefined) {
    callback(statusOfFailure(failure, state.requestId))
    return
  }
  const headers = new Metadata()
  headers.set(requestIdHeader, state.requestId)
  if (state.revision !== '') headers.set(revisionHeader, state.revision)
  call.sendMetadata(headers)
  callback(null, bufferOf(answerBytes ?? new Uint8Array(0)))
}
