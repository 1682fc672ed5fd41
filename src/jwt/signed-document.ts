import { CompactSign, type CryptoKey, compactVerify } from 'jose'
import type { SigningKey } from './signing-key.ts'
import { tokenAlgorithm } from './token-form.ts'

/** Documents that a server signs beside tokens, each with a type of its own: none passes for another, nor for a token. */
export type DocumentType = 'tenure-isolation-report' | 'tenure-audit-checkpoint'

/** The document as a JWS (RFC 7515, compact). */
export function signDocument(type: DocumentType, document: object, key: SigningKey): Promise<string> {
  return new CompactSign(Buffer.from(JSON.stringify(document)))
    .setProtectedHeader({ alg: tokenAlgorithm, typ: type, kid: key.kid })
    .sign(key.privateKey)
}

export interface VerifiedDocument {
  readonly kid: string
  readonly document: unknown
}

/** Undefined where it is not of that type, not signed by one of these keys, or was changed since. */
export async function verifyDocument(
  type: DocumentType,
  jws: string,
  keyOf: (kid: string) => CryptoKey | undefined,
): Promise<VerifiedDocument | undefined> {
  try {
    const { payload, protectedHeader } = await compactVerify(
      jws,
      ({ kid, typ }) => {
        const key = typ === type && kid !== undefined ? keyOf(kid) : undefined
        if (key === undefined) throw new TypeError('not a document of that type and of a known key')
        return key
      },
      { algorithms: [tokenAlgorithm] },
    )
    return { kid: String(protectedHeader.kid), document: JSON.parse(Buffer.from(payload).toString('utf8')) }
  } catch {
    return undefined
  }
}
