import { TenureError } from '../../base/errors.ts'
import type { StepFactory } from './step.ts'

/** Before the body is looked at: who has no credential learns nothing about fields, names or rules. */
export const authenticateStep: StepFactory = (parts, { policy }) => {
  if (policy.scopes.has('PUBLIC')) return undefined
  const { authenticator } = parts
  return (state) => {
    const authorization = state.incoming.authorization
    if (authorization === undefined || authorization === '') throw credentialMissing()
    const caller = authenticator.authenticate(authorization)
    if (caller instanceof Promise) {
      return caller.then((found) => {
        state.caller = found
      })
    }
    state.caller = caller
    return undefined
  }
}

function credentialMissing(): TenureError {
  return new TenureError(
    'CREDENTIAL_MISSING',
    'This needs a credential. Send the header authorization: Bearer <api key>.',
  )
}
