/** A gRPC message in its frame, in base64. */
export function framed(message: Uint8Array): string {
  const frame = Buffer.alloc(5 + message.length)
  frame.writeUInt32BE(message.length, 1)
  frame.set(message, 5)
  return frame.toString('base64')
}
