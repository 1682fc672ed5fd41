import { kidPattern } from '../jwt/token-form.ts'
import { openVerificationKeys, type VerificationKey, type VerificationKeys } from '../jwt/verification-keys.ts'

/** Where a verifier gets the issuer's keys from. */
export interface KeySource {
  /** A key that is known and young enough to be relied on; costs no waiting. */
  known(kid: string): VerificationKey | undefined
  /**
   * Asks once more where that may help. Undefined: the issuer has no such key. Throws KEYS_UNAVAILABLE when nobody can
   * say, and never relies on keys that are too old.
   */
  find(kid: string): Promise<VerificationKey | undefined>
}

/** A JWK set, as published (RFC 7517). */
export interface JwkSet {
  readonly keys: readonly object[]
}

/** Keys that never change while the process runs. */
export function createFixedKeys(jwks: JwkSet): KeySource {
  // A configuration without one key that could verify anything is a mistake to be told at once, not at the first request.
  if (!Array.isArray(jwks.keys) || !jwks.keys.some(looksUsable)) {
    throw new TypeError('createVerifier: jwks has no public Ed25519 key')
  }
  let opened: VerificationKeys | undefined
  const opening = openVerificationKeys(jwks).then((keys) => {
    opened = keys
    return keys
  })
  return {
    known: (kid) => opened?.get(kid),
    find: async (kid) => (await opening)?.get(kid),
  }
}

function looksUsable(jwk: unknown): boolean {
  if (typeof jwk !== 'object' || jwk === null) return false
  const isKey = 'kty' in jwk && jwk.kty === 'OKP' && 'crv' in jwk && jwk.crv === 'Ed25519' && !('d' in jwk)
  return isKey && 'kid' in jwk && typeof jwk.kid === 'string' && kidPattern.test(jwk.kid)
}
