import { createPrivateKey, createPublicKey } from 'node:crypto'
import { type CryptoKey, calculateJwkThumbprint } from 'jose'
import type { RandomFill } from '../base/ids.ts'

/** The public half as it is published: nothing but what a verifier needs. */
export interface PublicJwk {
  readonly kty: 'OKP'
  readonly crv: 'Ed25519'
  readonly x: string
  readonly kid: string
  readonly use: 'sig'
  readonly alg: 'EdDSA'
}

/** A key pair to be sealed and published. Whoever gets it overwrites `privateKeyPkcs8` once it is sealed. */
export interface NewSigningKey {
  /** The RFC 7638 thumbprint of the public key. */
  readonly kid: string
  readonly publicJwk: PublicJwk
  readonly privateKeyPkcs8: Uint8Array
}

/** A private key ready to sign; the bytes it was made of cannot be read back from it. */
export interface SigningKey {
  readonly kid: string
  readonly privateKey: CryptoKey
}

/** RFC 8410: what precedes the 32 bytes of an Ed25519 private key in PKCS #8. */
const pkcs8Prefix = Buffer.from('302e020100300506032b657004220420', 'hex')

export async function makeSigningKey(random: RandomFill): Promise<NewSigningKey> {
  const privateKeyPkcs8 = Buffer.alloc(pkcs8Prefix.length + 32)
  pkcs8Prefix.copy(privateKeyPkcs8)
  random(privateKeyPkcs8.subarray(pkcs8Prefix.length))
  const publicJwk = await publicJwkOf(privateKeyPkcs8)
  return { kid: publicJwk.kid, publicJwk, privateKeyPkcs8 }
}

/** What is published of a private key. */
export async function publicJwkOf(privateKeyPkcs8: Uint8Array): Promise<PublicJwk> {
  const { kid, x } = await publicPartsOf(privateKeyPkcs8)
  return { kty: 'OKP', crv: 'Ed25519', x, kid, use: 'sig', alg: 'EdDSA' }
}

/** Refuses a key whose id is not its own thumbprint: what it signs, nobody could verify. */
export async function openSigningKey(key: Pick<NewSigningKey, 'kid' | 'privateKeyPkcs8'>): Promise<SigningKey> {
  const { kid } = await publicPartsOf(key.privateKeyPkcs8)
  if (kid !== key.kid) throw new TypeError(`the signing key ${key.kid} is not the key of that id`)
  const bytes = Uint8Array.from(key.privateKeyPkcs8)
  try {
    const privateKey = await globalThis.crypto.subtle.importKey('pkcs8', bytes, 'Ed25519', false, ['sign'])
    return { kid, privateKey }
  } finally {
    bytes.fill(0)
  }
}

async function publicPartsOf(privateKeyPkcs8: Uint8Array): Promise<{ readonly kid: string; readonly x: string }> {
  // The error of the crypto library is left out: it may carry what it could not read.
  const publicKey = publicKeyOf(privateKeyPkcs8)
  const { x } = publicKey?.export({ format: 'jwk' }) ?? {}
  if (publicKey?.asymmetricKeyType !== 'ed25519' || x === undefined) {
    throw new TypeError('the private key is not Ed25519 in PKCS #8')
  }
  return { kid: await calculateJwkThumbprint({ kty: 'OKP', crv: 'Ed25519', x }), x }
}

function publicKeyOf({ buffer, byteOffset, byteLength }: Uint8Array): ReturnType<typeof createPublicKey> | undefined {
  try {
    // Looked at where it is: a copy would stay in memory when the caller overwrites the key.
    const key = Buffer.from(buffer, byteOffset, byteLength)
    return createPublicKey(createPrivateKey({ key, format: 'der', type: 'pkcs8' }))
  } catch {
    return undefined
  }
}
