import type { StepFactory } from './step.ts'

/**
 * Waits until what the handler reads is at least as new as what the caller has seen. After admission, so that nobody
 * learns from a wait, or from a token, whether a place exists.
 */
export const freshnessStep: StepFactory = ({ freshness }, { policy }) => {
  const field = policy.method.input.fields.find(({ name }) => name === 'at_least_revision')
  if (field === undefined) return undefined
  const { localName } = field
  return (state) => {
    const token = (state.request as unknown as Readonly<Record<string, unknown>> | undefined)?.[localName]
    if (typeof token !== 'string' || token === '') return undefined
    // A question without a place: the handler finds the place, and waits itself.
    if (state.context === undefined && policy.limitClass === 'CHECK') return undefined
    return freshness.atLeast(token, state.context)
  }
}
