import { decodeProtectedHeader } from 'jose'
import { TokenError } from './token-error.ts'

/** What fits the header limits of common proxies; whoever needs more narrows the token. */
export const maxTokenBytes = 4096

/** EdDSA over Ed25519; there is no second one to be talked into. */
export const tokenAlgorithm = 'EdDSA'

/** RFC 9068: an ID token signed with the same key is no access token. */
export const tokenType = 'at+jwt'

/** An RFC 7638 thumbprint: SHA-256, base64url. */
export const kidPattern = /^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/

const characters = /^[\w.-]+$/
/** What may end a segment, by its length modulo 4: the characters whose unused bits are zero. */
const lastCharacters = [undefined, /$^/, /[AQgw]$/, /[AEIMQUYcgkosw048]$/] as const
const signatureLength = 86

/** All tokens of one key have one header, so the last one that was good is mostly the next one too. */
let seen: { readonly headerText: string; readonly kid: string } | undefined

/** The key a token says it was signed with, before anything of it is believed. Costs no cryptography and no I/O. */
export function kidOfToken(token: unknown): string {
  if (typeof token !== 'string') throw new TokenError('MALFORMED')
  if (token.length > maxTokenBytes) throw new TokenError('TOO_LARGE')
  const [headerText = '', payloadText = '', signatureText = '', ...rest] = token.split('.')
  const isCompact = rest.length === 0 && characters.test(token)
  if (!isCompact || ![headerText, payloadText, signatureText].every(isCanonical)) throw new TokenError('MALFORMED')
  if (headerText === seen?.headerText && signatureText.length === signatureLength) return seen.kid
  const kid = kidOfHeader(token, headerText)
  if (signatureText.length !== signatureLength) throw new TokenError('MALFORMED')
  seen = { headerText, kid }
  return kid
}

function kidOfHeader(token: string, headerText: string): string {
  const header = headerOf(token)
  // The names twice, spaces, escapes: parsers disagree about what such a header says, so there is one spelling of it.
  if (Buffer.from(JSON.stringify(header)).toString('base64url') !== headerText) throw new TokenError('MALFORMED')
  const { alg, typ, kid, ...others } = header
  if (alg !== tokenAlgorithm) throw new TokenError('WRONG_ALGORITHM')
  if (typ !== tokenType) throw new TokenError('WRONG_TYPE')
  // `crit` and `b64` change what is verified, `jwk`, `jku`, `x5c` and `x5u` would bring a key of the sender's.
  if (Object.keys(others).length > 0) throw new TokenError('MALFORMED')
  if (typeof kid !== 'string' || !kidPattern.test(kid)) throw new TokenError('UNKNOWN_KEY')
  return kid
}

/**
 * Unpadded base64url whose unused last bits are zero. Decoders ignore those bits (and line ends), so without this one
 * signature would have sixteen spellings, each of them another key of a cache and another text in a log.
 */
function isCanonical(segment: string): boolean {
  return lastCharacters[segment.length % 4]?.test(segment) ?? true
}

function headerOf(token: string): Readonly<Record<string, unknown>> {
  try {
    return decodeProtectedHeader(token)
  } catch {
    // The parser's own error is left out: it quotes what it could not read.
    throw new TokenError('MALFORMED')
  }
}
