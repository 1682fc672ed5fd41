import type { DescMethod, Message } from '@bufbuild/protobuf'

/** What a stream sees of its call. */
export interface StreamCall {
  readonly requestId: string
  readonly clientIp: string
  /** Aborted when the caller goes away or the server shuts down. */
  readonly signal: AbortSignal
}

/** A streaming method: requests in, answers out, for as long as both sides like. Fails by throwing a TenureError. */
export interface StreamMethod {
  readonly method: DescMethod
  open(requests: AsyncIterable<Message>, call: StreamCall): AsyncIterable<Message>
}
