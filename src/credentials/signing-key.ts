export type SigningKeyState = 'PREPARED' | 'ACTIVE' | 'TAINTED' | 'REVOKED'

/** A key pair of the platform; the private half is sealed by the keyring. */
export interface SigningKeyRow {
  readonly signingKeyId: string
  /** RFC 7638 thumbprint of the public key. */
  readonly kid: string
  readonly algorithm: 'EdDSA'
  /** JWK. */
  readonly publicKey: Readonly<Record<string, string>>
  /** A SealedEnvelope of PKCS #8. */
  readonly envelope: Uint8Array
  readonly state: SigningKeyState
  readonly createTime: Date
  readonly activateTime: Date | null
}
