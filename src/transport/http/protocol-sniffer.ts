import type { Socket } from 'node:net'

// The first bytes of the HTTP/2 connection preface; no HTTP/1.1 method begins so.
const preface = Buffer.from('PRI')

export interface SniffedProtocols {
  readonly http1: (socket: Socket) => void
  readonly http2: (socket: Socket) => void
  /** A connection that says nothing for this long is closed. */
  readonly firstBytesMs: number
}

/** Hands a fresh connection to the protocol its first bytes speak, giving those bytes back. */
export function sniffProtocol(socket: Socket, protocols: SniffedProtocols): void {
  let head: Buffer = Buffer.alloc(0)
  const timer = setTimeout(() => socket.destroy(), protocols.firstBytesMs)
  const onData = (chunk: Buffer) => {
    head = Buffer.concat([head, chunk])
    const compared = Math.min(head.length, preface.length)
    const matches = head.subarray(0, compared).equals(preface.subarray(0, compared))
    if (matches && compared < preface.length) return
    stopListening()
    socket.pause()
    socket.unshift(head)
    const take = matches ? protocols.http2 : protocols.http1
    take(socket)
    if (!matches) socket.resume()
  }
  const stopListening = () => {
    clearTimeout(timer)
    socket.off('data', onData)
    socket.off('error', stopListening)
    socket.off('close', stopListening)
  }
  socket.on('data', onData)
  // A reset before the first byte would otherwise end the process.
  socket.on('error', stopListening)
  socket.on('close', stopListening)
}
