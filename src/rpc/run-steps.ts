import type { CallState } from './call-state.ts'
import { deadlineExceeded } from './steps/deadline.ts'
import type { Step } from './steps/step.ts'

// Node fires a timer of more than 2^31-1 ms at once.
const maxTimerMs = 2 ** 31 - 1

/**
 * Runs steps in order. Waits only from the first step that answers a promise on: a call whose steps all answer at once
 * runs without one await. Never rejects: what is thrown is left in `state.error`.
 */
export function runSteps(state: CallState, steps: readonly Step[], nowMs: () => number): void | Promise<void> {
  let index = 0
  try {
    if (state.stopped !== undefined) throw state.stopped
    for (; index < steps.length; index += 1) {
      const pending = (steps[index] as Step)(state)
      if (pending !== undefined) return waitFor(state, continueAfter(pending, state, steps, index + 1), nowMs)
    }
  } catch (error) {
    state.error = error ?? new Error('nothing was thrown')
  }
  state.releaseLimiter()
}

async function continueAfter(
  first: Promise<void>,
  state: CallState,
  steps: readonly Step[],
  from: number,
): Promise<void> {
  await first
  for (let index = from; index < steps.length; index += 1) {
    // Expired work is not begun: nobody waits for its answer.
    if (state.stopped !== undefined) throw state.stopped
    const pending = (steps[index] as Step)(state)
    if (pending !== undefined) await pending
  }
}

/** Ends with the steps, or before them at the deadline or when the caller goes away. The place in the limiter stays taken until the steps really end. */
function waitFor(state: CallState, work: Promise<void>, nowMs: () => number): Promise<void> {
  return new Promise((resolve) => {
    let ended = false
    const end = (error: unknown) => {
      if (ended) return
      ended = true
      clearTimeout(timer)
      state.onStop = undefined
      state.error = error
      resolve()
    }
    const leftMs = Math.min(Math.max(0, (state.deadlineMs ?? Number.POSITIVE_INFINITY) - nowMs()), maxTimerMs)
    const timer = setTimeout(() => state.stop(deadlineExceeded()), leftMs)
    state.onStop = end
    work.then(
      () => {
        state.releaseLimiter()
        end(undefined)
      },
      (error: unknown) => {
        state.releaseLimiter()
        end(error ?? new Error('nothing was thrown'))
      },
    )
  })
}
