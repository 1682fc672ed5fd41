import { eventOf } from './audit.ts'
import type { StepFactory } from './step.ts'

/**
 * Answers that carry secrets leave when the access is durable and not before: who crashes the server, or the database, in
 * between has not got away with one unseen.
 */
export const accountStep: StepFactory = (parts, { policy }) => {
  if (!policy.auditBeforeAnswer) return undefined
  return (state) => {
    const { caller } = state
    if (caller === undefined) throw new Error('account comes after authenticate')
    const { target, details } = state.accessed
    return parts.recorder.recordDurably({ ...eventOf(state, caller, policy.auditEvent, ''), target, details })
  }
}
