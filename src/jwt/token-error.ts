/** Why a tenant token is not accepted, closed: callers branch on it. The sentence says what to do; nothing of the token is in it. */
const sentences = {
  MALFORMED: 'This is not a tenant token, or it was changed on its way. Send the token exactly as it was issued.',
  TOO_LARGE: 'A tenant token has at most 4096 bytes. Ask for one with fewer workspaces or permissions.',
  WRONG_TYPE: 'This token is not an access token (typ at+jwt). Send the token that IssueToken answered.',
  WRONG_ALGORITHM: 'A tenant token is signed with EdDSA. Send the token that IssueToken answered.',
  UNKNOWN_KEY: 'No published key signed this token. Ask for a new one from the issuer this service trusts.',
  BAD_SIGNATURE: 'The signature does not fit. Send the token exactly as it was issued.',
  WRONG_ISSUER: 'This token comes from another issuer. Ask for one from the issuer this service trusts.',
  WRONG_AUDIENCE: 'This token is for another service. Ask for one whose audience names this service.',
  EXPIRED: 'This token has expired. Ask for a new one.',
  NOT_YET_VALID: 'This token is not valid yet. Compare the clocks of issuer and verifier.',
  BAD_CLAIMS: 'A claim of this token is missing or not of its form. Ask for a new token.',
  KEYS_UNAVAILABLE: 'The keys of the issuer cannot be had now, so no token can be checked. Try again shortly.',
} as const

export type TokenErrorReason = keyof typeof sentences

/** Every refusal of a token. `message` is fit for whoever sent the token; `cause`, where there is one, is for the log alone. */
export class TokenError extends Error {
  override readonly name = 'TokenError'
  readonly reason: TokenErrorReason

  constructor(reason: TokenErrorReason, options: { readonly cause?: unknown } = {}) {
    super(sentences[reason], options)
    this.reason = reason
  }
}
