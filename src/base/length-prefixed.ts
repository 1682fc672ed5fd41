/**
 * Joins parts so that no two lists of parts give the same bytes: every part is preceded by its length. Joined without
 * it, ("ab", "c") and ("a", "bc") would be one: one tenant's value would open as another's, one caller's key be another's.
 */
export function lengthPrefixed(parts: readonly (string | Uint8Array)[]): Buffer {
  const chunks: Buffer[] = []
  for (const part of parts) {
    const bytes = typeof part === 'string' ? Buffer.from(part, 'utf8') : part
    const length = Buffer.alloc(4)
    length.writeUInt32BE(bytes.length)
    chunks.push(length, Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength))
  }
  return Buffer.concat(chunks)
}
