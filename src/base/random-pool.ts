import type { RandomFill } from './ids.ts'

const poolBytes = 4_096

/**
 * Draws from the source in blocks: one system call for hundreds of identifiers. For identifiers only; a secret takes its
 * bytes from the source itself, so that no copy of it lies in a pool.
 */
export function pooledRandom(source: RandomFill): RandomFill {
  const pool = Buffer.alloc(poolBytes)
  let used = poolBytes
  return (bytes) => {
    if (bytes.length > poolBytes) throw new RangeError('a pool is for identifiers')
    if (used + bytes.length > poolBytes) {
      source(pool)
      used = 0
    }
    bytes.set(pool.subarray(used, used + bytes.length))
    used += bytes.length
  }
}
