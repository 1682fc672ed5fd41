/** Time as an argument: everything that asks for the time gets one of these, so tests decide what time it is. */
export interface Clock {
  /** Wall clock, milliseconds since the Unix epoch. Stored times come from here. */
  nowMs(): number
  /** Monotonic milliseconds for durations and freshness; unrelated to the wall clock, never goes back. */
  monotonicMs(): number
}

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
}
