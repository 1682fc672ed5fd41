import { fromBinary, type Message, toBinary } from '@bufbuild/protobuf'
import { Metadata, type ServerDuplexStream, type ServerWritableStream } from '@grpc/grpc-js'
import { TenureError } from '../../base/errors.ts'
import { requestIdHeader } from '../../rpc/answer-headers.ts'
import type { Pipeline } from '../../rpc/pipeline.ts'
import { malformedRequest } from '../../rpc/steps/decode.ts'
import type { StreamMethod } from '../../rpc/stream.ts'
import { bufferOf, statusOfFailure } from './failure-status.ts'
import { ipOfPeer } from './incoming.ts'

type Duplex = ServerDuplexStream<Buffer, Buffer>
type Writable = ServerWritableStream<Buffer, Buffer>

/** Serves one streaming method. Writes wait for the reader, so a slow one holds one message, not all of them. */
export function streamMethod(stream: StreamMethod, pipeline: Pipeline, shutdown: AbortSignal) {
  return (call: Duplex | Writable): void => {
    serve(stream, pipeline, shutdown, call).catch((error: unknown) => {
      pipeline.log.error({ err: error, method: stream.method.name }, 'stream failed')
    })
  }
}

async function serve(stream: StreamMethod, pipeline: Pipeline, shutdown: AbortSignal, call: Duplex | Writable) {
  const requestId = pipeline.nextRequestId()
  const gone = new AbortController()
  call.on('cancelled', () => gone.abort())
  // The stream is destroyed when the caller goes away; without a listener that would end the process.
  call.on('close', () => gone.abort())
  const signal = AbortSignal.any([gone.signal, shutdown])
  const headers = new Metadata()
  headers.set(requestIdHeader, requestId)
  call.sendMetadata(headers)
  try {
    const answers = stream.open(requestsOf(stream, call), { requestId, clientIp: ipOfPeer(call.getPeer()), signal })
    for await (const answer of answers) {
      if (gone.signal.aborted) return
      if (!call.write(bufferOf(toBinary(stream.method.output, answer)))) await drained(call, gone.signal)
    }
    if (shutdown.aborted)
      throw new TenureError('SHUTTING_DOWN', 'This server is going away. Retry; another one answers.')
    if (!gone.signal.aborted) call.end()
  } catch (error) {
    if (gone.signal.aborted) return
    call.emit('error', statusOfFailure(pipeline.failureOf(error, requestId), requestId))
  }
}

async function* requestsOf(stream: StreamMethod, call: Duplex | Writable): AsyncIterable<Message> {
  if ('request' in call) {
    yield decode(stream, call.request)
    return
  }
  // Destroyed at the end of its requests, a two-way stream could not answer any more.
  for await (const bytes of call.iterator({ destroyOnReturn: false })) yield decode(stream, bytes as Buffer)
}

function decode(stream: StreamMethod, bytes: Buffer): Message {
  try {
    return fromBinary(stream.method.input, bytes)
  } catch (cause) {
    throw malformedRequest(cause)
  }
}

function drained(call: Duplex | Writable, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      call.off('drain', done)
      signal.removeEventListener('abort', done)
      resolve()
    }
    call.on('drain', done)
    signal.addEventListener('abort', done)
    if (signal.aborted) done()
  })
}
