import type { Clock } from '../../../src/base/clock.ts'
import { issuedAtMs } from '../../support/tenant-token.ts'

export interface TestClock extends Clock {
  /** Both clocks go on. */
  advance(ms: number): void
  /** The machine slept: the wall clock goes on, the monotonic one stood still. */
  sleep(ms: number): void
}

export function testClock(): TestClock {
  let nowMs = issuedAtMs
  let monotonicMs = 1_000
  return {
    nowMs: () => nowMs,
    monotonicMs: () => monotonicMs,
    advance(ms) {
      nowMs += ms
      monotonicMs += ms
    },
    sleep(ms) {
      nowMs += ms
    },
  }
}
