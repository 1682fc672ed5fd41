import { type CryptoKey, calculateJwkThumbprint, importJWK } from 'jose'
import { kidPattern } from './token-form.ts'

export type VerificationKey = CryptoKey

/** The keys tokens may be signed with, by kid. */
export type VerificationKeys = ReadonlyMap<string, VerificationKey>

/** More keys than any rotation has at once; a longer list is a mistake or a flood. */
const maxVerificationKeys = 100

/**
 * The keys of a JWK set that can verify a tenant token; undefined when it is no JWK set. Everything else in it is passed
 * over: other types, curves and uses, symmetric keys, whatever carries a private part (it was published, so it is
 * nobody's alone any more), and keys under an id that is not their thumbprint, so that no key stands in for another.
 */
export async function openVerificationKeys(jwks: unknown): Promise<VerificationKeys | undefined> {
  if (typeof jwks !== 'object' || jwks === null || !('keys' in jwks) || !Array.isArray(jwks.keys)) return undefined
  if (jwks.keys.length > maxVerificationKeys) return undefined
  const keys = new Map<string, VerificationKey>()
  for (const jwk of jwks.keys) {
    const opened = await openVerificationKey(jwk)
    if (opened !== undefined) keys.set(opened.kid, opened.key)
  }
  return keys
}

async function openVerificationKey(jwk: unknown): Promise<{ kid: string; key: VerificationKey } | undefined> {
  if (typeof jwk !== 'object' || jwk === null) return undefined
  const { kty, crv, x, kid, use, alg, key_ops: operations, d, k } = jwk as Readonly<Record<string, unknown>>
  if (kty !== 'OKP' || crv !== 'Ed25519' || typeof x !== 'string' || d !== undefined || k !== undefined)
    return undefined
  if (alg !== undefined && alg !== 'EdDSA' && alg !== 'Ed25519') return undefined
  if (use !== undefined && use !== 'sig') return undefined
  if (operations !== undefined && !(Array.isArray(operations) && operations.includes('verify'))) return undefined
  if (typeof kid !== 'string' || !kidPattern.test(kid)) return undefined
  const parts = { kty, crv, x }
  if ((await calculateJwkThumbprint(parts)) !== kid) return undefined
  try {
    const key = await importJWK(parts, 'EdDSA')
    return key instanceof Uint8Array ? undefined : { kid, key }
  } catch {
    // A point that is none: the other keys of the set are still good.
    return undefined
  }
}
