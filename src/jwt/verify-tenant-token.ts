import { compactVerify, errors } from 'jose'
import { parseTenantTokenClaims, type TenantTokenClaims } from './tenant-token-claims.ts'
import { TokenError } from './token-error.ts'
import { kidOfToken, tokenAlgorithm } from './token-form.ts'
import type { VerificationKey } from './verification-keys.ts'

export interface TokenExpectation {
  readonly issuer: string
  /** What this service is called; the token's audience has to name it. */
  readonly audience: string
  readonly clockToleranceSeconds: number
}

export interface VerifyTenantTokenOptions extends TokenExpectation {
  readonly nowMs: number
  /** Undefined: there is no such key. May throw a TokenError of its own, KEYS_UNAVAILABLE above all. */
  readonly keyOf: (kid: string) => VerificationKey | undefined | Promise<VerificationKey | undefined>
}

const algorithms = { algorithms: [tokenAlgorithm] }
const decoder = new TextDecoder('utf-8', { fatal: true })

/**
 * The claims of a token that this issuer signed for this audience and that is valid now; every other text throws a
 * TokenError. In this order: size, form, header, key, signature, claims, issuer, audience, times. Nothing is said about
 * revocation, and nothing is remembered.
 */
export async function verifyTenantToken(token: string, options: VerifyTenantTokenOptions): Promise<TenantTokenClaims> {
  // An empty audience would be what nobody wrote and every token without one has.
  if (options.issuer === '' || options.audience === '') throw new TypeError('issuer and audience must not be empty')
  const found = options.keyOf(kidOfToken(token))
  const key = found instanceof Promise ? await found : found
  if (key === undefined) throw new TokenError('UNKNOWN_KEY')
  const claims = parseTenantTokenClaims(parsePayload(await verifiedPayload(token, key)))
  if (claims === undefined) throw new TokenError('BAD_CLAIMS')
  if (claims.iss !== options.issuer) throw new TokenError('WRONG_ISSUER')
  if (!claims.aud.includes(options.audience)) throw new TokenError('WRONG_AUDIENCE')
  checkTokenTimes(claims, options.nowMs, options.clockToleranceSeconds)
  return claims
}

/** The part of the answer that changes by itself: also what was verified before has to pass it again. */
export function checkTokenTimes(
  claims: Pick<TenantTokenClaims, 'exp' | 'nbf' | 'iat'>,
  nowMs: number,
  clockToleranceSeconds: number,
): void {
  const nowSeconds = nowMs / 1_000
  // Written so that a clock which answers no number refuses.
  if (!(nowSeconds < claims.exp + clockToleranceSeconds)) throw new TokenError('EXPIRED')
  const latest = nowSeconds + clockToleranceSeconds
  if (!(claims.nbf <= latest && claims.iat <= latest)) throw new TokenError('NOT_YET_VALID')
}

async function verifiedPayload(token: string, key: VerificationKey): Promise<Uint8Array> {
  try {
    return (await compactVerify(token, key, algorithms)).payload
  } catch (error) {
    if (error instanceof errors.JWSSignatureVerificationFailed) throw new TokenError('BAD_SIGNATURE')
    if (error instanceof errors.JOSEError) throw new TokenError('MALFORMED')
    throw error
  }
}

function parsePayload(payload: Uint8Array): unknown {
  try {
    return JSON.parse(decoder.decode(payload))
  } catch {
    return undefined
  }
}
