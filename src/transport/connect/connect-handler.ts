import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2'
import type { DescMethodUnary, Message } from '@bufbuild/protobuf'
import {
  Code,
  ConnectError,
  type ConnectRouter,
  createConnectRouter,
  createContextKey,
  createContextValues,
  type HandlerContext,
} from '@connectrpc/connect'
import type { UniversalHandler } from '@connectrpc/connect/protocol'
import {
  compressionGzip,
  universalRequestFromNodeRequest,
  universalResponseToNodeResponse,
} from '@connectrpc/connect-node'
import { requestIdHeader, revisionHeader } from '../../rpc/answer-headers.ts'
import { fullMethodName } from '../../rpc/builtin-policies.ts'
import type { CallState } from '../../rpc/call-state.ts'
import { packedRegistry } from '../../rpc/packed-messages.ts'
import type { Pipeline, PipelineMethod } from '../../rpc/pipeline.ts'
import { cancelled } from '../../rpc/steps/deadline.ts'
import { completeInPlace, connectErrorOf, shuttingDown, tenureErrorOf } from './connect-failure.ts'
import { readableGetUrl } from './get-url.ts'
import { streamImplementation } from './stream-implementation.ts'
import { StrictJsonDecoder } from './strict-json.ts'
import { clampTimeouts } from './timeout-header.ts'

type NodeRequest = IncomingMessage | Http2ServerRequest
type NodeResponse = ServerResponse | Http2ServerResponse

/** Serves Connect, gRPC-Web and gRPC over whatever HTTP it is handed. Disposing ends every call that still runs. */
export interface ConnectHandler extends Disposable {
  /** Ends streams, which never end by themselves; unary calls go on. */
  drain(): void
  /** False when the path is no method of ours: nothing was answered. */
  handle(request: NodeRequest, response: NodeResponse): boolean
}

const clientIpKey = createContextKey('', { description: 'client ip' })
const stateKey = createContextKey<CallState | undefined>(undefined, { description: 'call state' })

export function createConnectHandler(pipeline: Pipeline): ConnectHandler {
  const shutdown = new AbortController()
  const draining = new AbortController()
  const { maxRequestBytes, maxDeadlineMs } = pipeline.limits
  // connect-node reads `textDecoder` from here though its type does not say so; the parity tests would notice if it stopped.
  const registry = packedRegistry
  const jsonOptions = { ignoreUnknownFields: false, textDecoder: new StrictJsonDecoder(), registry }
  const router = createConnectRouter({
    acceptCompression: [compressionGzip],
    readMaxBytes: maxRequestBytes,
    maxTimeoutMs: maxDeadlineMs,
    shutdownSignal: shutdown.signal,
    jsonOptions,
    requestGate: (context) => openCall(pipeline, context),
  })
  register(router, pipeline, draining.signal)
  const handlers = new Map(router.handlers.map((handler) => [handler.requestPath, handler]))
  return {
    handle: (request, response) => {
      const handler = handlers.get(request.url?.split('?', 1)[0] ?? '')
      if (handler === undefined) return false
      serve(pipeline, handler, request, response)
      return true
    },
    drain: () => draining.abort(),
    // A plain abort would reach clients as `internal`.
    [Symbol.dispose]: () => shutdown.abort(new ConnectError(shuttingDown().message, Code.Unavailable)),
  }
}

function register(router: ConnectRouter, pipeline: Pipeline, draining: AbortSignal): void {
  for (const method of pipeline.methods.values()) {
    const desc = method.policy.method as DescMethodUnary
    router.rpc(desc, (request, context) => actCall(method, request, context))
  }
  for (const stream of pipeline.streams.values()) {
    router.rpc(stream.method as never, streamImplementation(stream, pipeline, clientIpKey, draining) as never)
  }
}

function serve(pipeline: Pipeline, handler: UniversalHandler, request: NodeRequest, response: NodeResponse): void {
  clampTimeouts(request.headers, pipeline.limits.maxDeadlineMs)
  if (request.method === 'GET') request.url = readableGetUrl(request.url ?? '')
  const values = createContextValues().set(clientIpKey, request.socket?.remoteAddress ?? '')
  // Made from headers the client chose: an impossible Host throws, and must not end the process.
  let universal: ReturnType<typeof universalRequestFromNodeRequest>
  try {
    universal = universalRequestFromNodeRequest(
      request as IncomingMessage,
      response as ServerResponse,
      undefined,
      values,
    )
  } catch {
    const target = response as ServerResponse
    target.writeHead(400).end()
    return
  }
  // A body that is refused half-way must not take the connection, and the refusal on it, away.
  const body = request.iterator({ destroyOnReturn: false })
  response.once('finish', () => request.resume())
  handler({ ...universal, body })
    .then((answer) => universalResponseToNodeResponse(answer, response))
    .catch((error: unknown) => {
      pipeline.log.debug({ err: error, method: handler.method.name }, 'answer not delivered')
      response.destroy()
    })
}

/** Runs before the body is read: a caller without a credential costs no parsing and learns nothing about the message. */
async function openCall(pipeline: Pipeline, context: HandlerContext): Promise<void> {
  const method = pipeline.methods.get(fullMethodName(context.method))
  if (method === undefined) return
  const state = method.begin(incomingOf(context, pipeline.clock.nowMs()))
  context.values.set(stateKey, state)
  const pending = method.open(state)
  if (pending !== undefined) await pending
  if (state.failure !== undefined) throw connectErrorOf(state.failure, state.requestId)
  // connect-node aborts this signal with the error it is about to write, and for a caller who went away with its reason.
  context.signal.addEventListener('abort', () => stopCall(method, state, context.signal.reason))
}

function stopCall(method: PipelineMethod, state: CallState, reason: unknown): void {
  if (state.closed) return
  if (!(reason instanceof ConnectError)) {
    state.stop(cancelled())
    return
  }
  const early = tenureErrorOf(reason)
  if (early === undefined) return
  if (state.request !== undefined) {
    state.stop(early)
    return
  }
  method.fail(state, early)
  if (state.failure !== undefined) completeInPlace(reason, state.failure, state.requestId)
}

async function actCall(method: PipelineMethod, request: Message, context: HandlerContext): Promise<Message> {
  const state = context.values.get(stateKey)
  if (state === undefined) throw new Error('a call is opened before it acts')
  state.request = request
  if (!state.closed) await method.act(state)
  if (state.failure !== undefined) throw connectErrorOf(state.failure, state.requestId)
  if (state.answer === undefined) throw new Error('a call that did not fail has an answer')
  context.responseHeader.set(requestIdHeader, state.requestId)
  if (state.revision !== '') context.responseHeader.set(revisionHeader, state.revision)
  return state.answer
}

function incomingOf(context: HandlerContext, nowMs: number) {
  const { requestHeader } = context
  const leftMs = context.timeoutMs()
  return {
    authorization: requestHeader.get('authorization') ?? undefined,
    workspaceHeader: requestHeader.get('x-workspace-id') ?? undefined,
    clientRequestId: requestHeader.get('x-request-id') ?? requestHeader.get(requestIdHeader) ?? undefined,
    clientIp: context.values.get(clientIpKey),
    deadlineMs: leftMs === undefined ? undefined : nowMs + leftMs,
    wantsBytes: false,
  }
}
