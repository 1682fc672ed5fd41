import type { ClientHttp2Session, IncomingHttpHeaders } from 'node:http2'

/** An answer as it came. */
export interface Exchanged {
  readonly headers: IncomingHttpHeaders
  readonly trailers: IncomingHttpHeaders
  readonly body: Buffer
}

/** A message as gRPC and gRPC-Web carry it. */
export function framed(message: Uint8Array): Buffer {
  const frame = Buffer.alloc(5 + message.length)
  frame.writeUInt32BE(message.length, 1)
  frame.set(message, 5)
  return frame
}

/** One POST over a connection that is kept. Rejects only where there is no answer. */
export function exchange(
  session: ClientHttp2Session,
  path: string,
  headers: Readonly<Record<string, string>>,
  body: Uint8Array | string,
): Promise<Exchanged> {
  return new Promise((resolve, reject) => {
    const stream = session.request({ ...headers, ':method': 'POST', ':path': path })
    const chunks: Buffer[] = []
    let received: IncomingHttpHeaders = {}
    let trailers: IncomingHttpHeaders = {}
    stream.on('response', (head) => {
      received = head
    })
    stream.on('trailers', (tail) => {
      trailers = tail
    })
    stream.on('data', (chunk: Buffer) => chunks.push(chunk))
    stream.on('end', () => resolve({ headers: received, trailers, body: Buffer.concat(chunks) }))
    stream.on('error', reject)
    stream.setTimeout(30_000, () => reject(new Error(`${path} was not answered`)))
    stream.end(body)
  })
}
