import { openVerificationKeys, type VerificationKeys } from '../jwt/verification-keys.ts'
import { boundedText } from './bounded-text.ts'

/** The part of the `fetch` of the platform that is used here. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>

const timeoutMs = 5_000
/** A set of a hundred keys is a quarter of this. */
const maxBytes = 65_536

/** The keys published at `url` now. Rejects for everything that is not, within its time and size, a JWK set. */
export async function fetchJwks(url: string, fetch: Fetch): Promise<VerificationKeys> {
  const response = await fetch(url, {
    headers: { accept: 'application/json' },
    // A redirect would let whoever can write one choose the keys.
    redirect: 'error',
    signal: AbortSignal.timeout(timeoutMs),
  })
  if (response.status !== 200) {
    await response.body?.cancel()
    throw new Error(`the JWKS answered with status ${response.status}`)
  }
  const keys = await openVerificationKeys(JSON.parse(await boundedText(response, maxBytes)))
  if (keys === undefined) throw new Error('what the JWKS answered is no JWK set')
  return keys
}
