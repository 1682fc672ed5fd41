import { TenureError } from '../base/errors.ts'

/** Bounds how many calls of a class run at once: past the bound a call is refused at once, nothing waits in memory. */
export interface InFlightLimiter {
  readonly inFlight: number
  /** Throws OVERLOADED when no place is free. */
  acquire(): void
  release(): void
}

export function createInFlightLimiter(max: number, retryAfterMs: number, onRefused: () => void): InFlightLimiter {
  let inFlight = 0
  return {
    get inFlight() {
      return inFlight
    },
    acquire() {
      if (inFlight >= max) {
        onRefused()
        throw new TenureError('OVERLOADED', 'The server has too much to do just now. Retry a little later.', {
          retryAfterMs,
        })
      }
      inFlight += 1
    },
    release() {
      inFlight -= 1
    },
  }
}
