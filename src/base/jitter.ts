import type { RandomFill } from './ids.ts'

/** Numbers from 0 up to 1, for waits that must not fall together. Not for secrets: 32 bits each. */
export function createJitter(random: RandomFill): () => number {
  const bytes = Buffer.alloc(4)
  return () => {
    random(bytes)
    return bytes.readUInt32BE(0) / 2 ** 32
  }
}
