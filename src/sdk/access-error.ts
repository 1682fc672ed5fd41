import { TokenError, type TokenErrorReason } from '../jwt/token-error.ts'

/** What a request can lack beside a good token. */
const sentences = {
  TOKEN_MISSING: 'Send a tenant token: authorization: Bearer <token>.',
  TOKEN_REPEATED: 'Send one authorization header, with one token.',
  WORKSPACE_MISSING: 'Say which workspace this is about: x-workspace-id: <slug or uid>.',
  WORKSPACE_REPEATED: 'Send x-workspace-id once, with one workspace.',
  WORKSPACE_MISMATCH: 'The address names another workspace than x-workspace-id. Send the same in both.',
  WORKSPACE_NOT_IN_TOKEN: 'This token is not for that workspace. Ask for one that names it.',
  PERMISSION_MISSING:
    'This needs a permission the token does not give here. Ask an owner of the tenant for a role that has it.',
  CONTEXT_MISSING: 'Send the context of the call: tenure-context: <token>.',
  CONTEXT_REPEATED: 'Send one tenure-context header, with one token.',
  CONTEXT_UNFIT:
    'This is no token of a call. Send one of at most 60 seconds, for this service and one workspace alone.',
  CONTEXT_REFUSED: 'The control plane gives this service no context for that call. An operator has to look.',
  CONTEXT_UNAVAILABLE: 'The control plane cannot be asked for the context of a call now. Try again.',
  ONLINE_REQUIRED: 'What this token may do can only be answered by the control plane, which this service does not ask.',
} as const

export type AccessErrorReason = TokenErrorReason | keyof typeof sentences

/** What an answer over HTTP says of each reason; a reason that is not here is one of the token, and 401. */
const statusOfReason: Partial<Record<AccessErrorReason, number>> = {
  TOKEN_REPEATED: 400,
  WORKSPACE_MISSING: 400,
  WORKSPACE_REPEATED: 400,
  WORKSPACE_MISMATCH: 400,
  WORKSPACE_NOT_IN_TOKEN: 403,
  PERMISSION_MISSING: 403,
  ONLINE_REQUIRED: 403,
  CONTEXT_REPEATED: 400,
  CONTEXT_REFUSED: 403,
  CONTEXT_UNAVAILABLE: 503,
  KEYS_UNAVAILABLE: 503,
}

/**
 * Every refusal of this package. `reason` is closed: branch on it. `message` says what to do next and may be sent to
 * whoever asked; nothing of the token is in it. `cause`, where there is one, is for the log alone.
 */
export class AccessError extends Error {
  override readonly name = 'AccessError'
  readonly reason: AccessErrorReason

  constructor(reason: keyof typeof sentences | TokenError, cause?: unknown) {
    if (reason instanceof TokenError) {
      super(reason.message, reason.cause === undefined ? undefined : { cause: reason.cause })
      this.reason = reason.reason
    } else {
      super(sentences[reason], cause === undefined ? undefined : { cause })
      this.reason = reason
    }
  }

  get httpStatus(): number {
    return statusOfReason[this.reason] ?? 401
  }
}
