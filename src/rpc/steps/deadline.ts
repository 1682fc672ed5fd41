import { TenureError } from '../../base/errors.ts'
import type { StepFactory } from './step.ts'

/** Bounds every call, also those of clients that set no deadline, and refuses what has expired before it begins. */
export const deadlineStep: StepFactory = (parts) => (state) => {
  const nowMs = parts.clock.nowMs()
  const latestMs = nowMs + parts.maxDeadlineMs
  const askedMs = state.incoming.deadlineMs
  state.deadlineMs = askedMs !== undefined && askedMs < latestMs ? askedMs : latestMs
  if (state.deadlineMs <= nowMs) throw deadlineExceeded()
}

export function deadlineExceeded(): TenureError {
  return new TenureError('DEADLINE_EXCEEDED', 'The deadline of the call passed. Repeat it with the same request id.')
}

export function cancelled(): TenureError {
  return new TenureError('CANCELLED', 'The caller went away.')
}
