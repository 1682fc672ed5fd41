import type { StepFactory } from './step.ts'

/** Counts the call, and tells the log of it where somebody listens that closely. */
export const observeStep: StepFactory = (parts, { meter }) => {
  const { clock, log } = parts
  return (state) => {
    const durationMs = clock.monotonicMs() - state.startedMs
    const code = state.failure?.code ?? 'OK'
    meter.finished(code, durationMs)
    if (!log.isDebug()) return
    log
      .withPlace(state.place?.tenant ?? '', state.place?.workspace ?? '')
      .debug({ method: state.method, requestId: state.requestId, code, durationMs }, 'call answered')
  }
}
