import { failureOf } from '../error-mapping.ts'
import type { StepFactory } from './step.ts'

/** Turns what was thrown into what is sent; what nobody foresaw goes to the log with its stack, and to no one else. */
export const mapErrorsStep: StepFactory = (parts) => (state) => {
  if (state.error === undefined) return
  state.failure = failureOf(state.error, state.requestId)
  state.answer = undefined
  state.answerBytes = undefined
  state.revision = ''
  const internal = state.failure.reason === 'INTERNAL'
  if (!internal && !parts.log.isDebug()) return
  const log = parts.log.withPlace(state.place?.tenant ?? '', state.place?.workspace ?? '')
  const facts = { method: state.method, requestId: state.requestId, reason: state.failure.reason }
  if (internal) log.error({ ...facts, err: state.error }, 'call failed')
  else log.debug({ ...facts, principal: state.caller?.principal }, 'call refused')
}
