import { CompactSign } from 'jose'
import type { SigningKey } from './signing-key.ts'
import { parseTenantTokenClaims, type TenantTokenClaims } from './tenant-token-claims.ts'
import { TokenError } from './token-error.ts'
import { maxTokenBytes, tokenAlgorithm, tokenType } from './token-form.ts'

const encoder = new TextEncoder()

/**
 * The token of these claims, byte for byte the same for the same claims and key. Claims that no verifier would accept
 * are BAD_CLAIMS, and what becomes longer than `maxTokenBytes` is TOO_LARGE: the caller asks for less.
 */
export async function signTenantToken(claims: TenantTokenClaims, key: SigningKey): Promise<string> {
  const checked = parseTenantTokenClaims(claims)
  if (checked === undefined) throw new TokenError('BAD_CLAIMS')
  const payload = encoder.encode(JSON.stringify(checked))
  // Before the signature: what is far too long costs no cryptography.
  if (payload.length > maxTokenBytes) throw new TokenError('TOO_LARGE')
  const token = await new CompactSign(payload)
    .setProtectedHeader({ alg: tokenAlgorithm, typ: tokenType, kid: key.kid })
    .sign(key.privateKey)
  if (token.length > maxTokenBytes) throw new TokenError('TOO_LARGE')
  return token
}
