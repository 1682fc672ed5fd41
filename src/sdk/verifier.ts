import { hash } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import { type Clock, systemClock } from '../base/clock.ts'
import { TokenError } from '../jwt/token-error.ts'
import { maxTokenBytes } from '../jwt/token-form.ts'
import { checkTokenTimes, verifyTenantToken } from '../jwt/verify-tenant-token.ts'
import { AccessError } from './access-error.ts'
import type { Fetch } from './fetch-jwks.ts'
import { createFixedKeys, type JwkSet, type KeySource } from './key-source.ts'
import { createRemoteKeys } from './remote-keys.ts'
import { serviceUrlFrom } from './service-url.ts'
import { type VerifiedToken, verifiedTokenFromClaims } from './verified-token.ts'

export interface VerifierOptions {
  /** Compared letter by letter with the token's. */
  readonly issuer: string
  /** What this service is called; a token for another service is refused. */
  readonly audience: string
  /** Where the issuer publishes its keys, or the keys themselves. */
  readonly jwks: string | URL | JwkSet
  /** Lets keys come over http from another machine: whoever is on the way can then sign tokens. */
  readonly allowInsecureJwks?: boolean
  /** How far the clocks of issuer and service may be apart; default 30, at most 300. */
  readonly clockToleranceSeconds?: number
  /** How many verified tokens are remembered; default 10,000, about 2 KB each. */
  readonly cacheSize?: number
  readonly clock?: Clock
  readonly fetch?: Fetch
  /** Told when keys could not be fetched, while those known go on to serve too. */
  readonly onKeysError?: (error: unknown) => void
}

export interface Verifier {
  /** Rejects with an AccessError for every token that is not good for this service now. */
  verify(token: string): Promise<VerifiedToken>
  /**
   * The same without waiting, for a token that was verified before: throws when it is not good any more. Undefined: it
   * has to be verified.
   */
  verifyCached(token: string): VerifiedToken | undefined
}

interface Remembered {
  readonly verified: VerifiedToken
  readonly kid: string
}

const maxToleranceSeconds = 300
const maxCacheSize = 1_000_000

/** Checks its options at once: an audience left out must stop a service at its start, not switch a check off. */
export function createVerifier(options: VerifierOptions): Verifier {
  const { clockToleranceSeconds = 30, cacheSize = 10_000, clock = systemClock } = options
  const issuer = requiredText('issuer', options.issuer)
  const audience = requiredText('audience', options.audience)
  requireNumber('clockToleranceSeconds', clockToleranceSeconds, 0, maxToleranceSeconds)
  requireNumber('cacheSize', cacheSize, 1, maxCacheSize)
  const keys = keySourceFrom(options, clock)
  const remembered = new LRUCache<string, Remembered>({ max: cacheSize })

  const recall = (entry: string): VerifiedToken | undefined => {
    const found = remembered.get(entry)
    // A key that is gone takes what it signed with it; one that is too old has to be asked for again.
    if (found === undefined || keys.known(found.kid) === undefined) return undefined
    checkTokenTimes(found.verified.claims, clock.nowMs(), clockToleranceSeconds)
    return found.verified
  }
  const check = async (token: string, entry: string): Promise<VerifiedToken> => {
    let kid = ''
    const keyOf = (asked: string) => {
      kid = asked
      return keys.known(asked) ?? keys.find(asked)
    }
    const expectation = { issuer, audience, clockToleranceSeconds, nowMs: clock.nowMs(), keyOf }
    const claims = await verifyTenantToken(token, expectation)
    // Once more: fetching a key takes its time, and the token may have expired meanwhile.
    checkTokenTimes(claims, clock.nowMs(), clockToleranceSeconds)
    const verified = verifiedTokenFromClaims(claims)
    remembered.set(entry, { verified, kid })
    return verified
  }

  return {
    verifyCached: (token) => {
      try {
        return recall(entryOf(token))
      } catch (error) {
        throw accessErrorFrom(error)
      }
    },
    verify: async (token) => {
      try {
        const entry = entryOf(token)
        return recall(entry) ?? (await check(token, entry))
      } catch (error) {
        throw accessErrorFrom(error)
      }
    },
  }
}

/**
 * Where a token is remembered: the hash of its whole text, which has one spelling. Two tokens never share an entry, and
 * the memory holds no token. What cannot be a token is refused before its length costs anything.
 */
function entryOf(token: unknown): string {
  if (typeof token !== 'string') throw new TokenError('MALFORMED')
  if (token.length > maxTokenBytes) throw new TokenError('TOO_LARGE')
  return hash('sha256', token, 'base64')
}

function accessErrorFrom(error: unknown): unknown {
  return error instanceof TokenError ? new AccessError(error) : error
}

function keySourceFrom(options: VerifierOptions, clock: Clock): KeySource {
  const { jwks, allowInsecureJwks = false, fetch = globalThis.fetch, onKeysError = () => {} } = options
  if (typeof jwks === 'object' && jwks !== null && !(jwks instanceof URL)) return createFixedKeys(jwks)
  const url = serviceUrlFrom('createVerifier: jwks', jwks, allowInsecureJwks)
  return createRemoteKeys({ url: url.href, fetch, clock, onKeysError })
}

function requiredText(name: string, value: unknown): string {
  if (typeof value !== 'string' || value.trim() === '') throw new TypeError(`createVerifier: ${name} is missing`)
  return value
}

function requireNumber(name: string, value: number, min: number, max: number): void {
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new TypeError(`createVerifier: ${name} has to be a whole number from ${min} to ${max}`)
  }
}
