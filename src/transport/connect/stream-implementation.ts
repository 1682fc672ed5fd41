import type { Message } from '@bufbuild/protobuf'
import type { ContextKey, HandlerContext } from '@connectrpc/connect'
import { requestIdHeader } from '../../rpc/answer-headers.ts'
import type { Pipeline } from '../../rpc/pipeline.ts'
import type { StreamMethod } from '../../rpc/stream.ts'
import { connectErrorOf, shuttingDown } from './connect-failure.ts'

/** Serves one streaming method over connect-node, which hands a server stream its one request and others an iterable. */
export function streamImplementation(
  stream: StreamMethod,
  pipeline: Pipeline,
  clientIpKey: ContextKey<string>,
  draining: AbortSignal,
) {
  const single = stream.method.methodKind === 'server_streaming'
  return async function* serve(input: Message | AsyncIterable<Message>, context: HandlerContext) {
    const requestId = pipeline.nextRequestId()
    context.responseHeader.set(requestIdHeader, requestId)
    const requests = single ? one(input as Message) : (input as AsyncIterable<Message>)
    const signal = AbortSignal.any([context.signal, draining])
    try {
      yield* stream.open(requests, { requestId, clientIp: context.values.get(clientIpKey), signal })
      if (draining.aborted) throw shuttingDown()
    } catch (error) {
      if (context.signal.aborted) throw context.signal.reason
      throw connectErrorOf(pipeline.failureOf(error, requestId), requestId)
    }
  }
}

async function* one(message: Message): AsyncIterable<Message> {
  yield message
}
