import type { StepFactory } from './step.ts'

const harmless = /^[A-Za-z0-9._:-]{1,64}$/

/** Names the call. What a client sends is taken over only when it cannot forge a log line or a header. */
export const requestIdStep: StepFactory = (parts) => (state) => {
  const asked = state.incoming.clientRequestId
  state.requestId = asked !== undefined && harmless.test(asked) ? asked : parts.ids.next()
}
