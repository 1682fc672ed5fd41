import type { StepFactory } from './step.ts'

/** Takes a place among the calls that run; writes and reads have budgets of their own, so that neither starves the other. */
export const limitStep: StepFactory = (parts, { policy }) => {
  if (policy.scopes.has('PUBLIC')) return undefined
  const limiter = policy.limitClass === 'WRITE' ? parts.writes : parts.reads
  return (state) => {
    limiter.acquire()
    state.limiter = limiter
  }
}
