import { createCipheriv, createDecipheriv } from 'node:crypto'
import type { RandomFill } from '../base/ids.ts'
import { KeyringError } from './keyring-error.ts'

export const nonceBytes = 12
export const tagBytes = 16

export interface Sealed {
  readonly nonce: Uint8Array
  /** Ciphertext with its tag at the end. */
  readonly ciphertext: Uint8Array
}

/** AES-256-GCM under a random 96-bit nonce. */
export function seal(key: Uint8Array, authenticated: Uint8Array, plaintext: Uint8Array, random: RandomFill): Sealed {
  const nonce = new Uint8Array(nonceBytes)
  random(nonce)
  const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: tagBytes })
  cipher.setAAD(authenticated)
  const ciphertext = Buffer.concat([cipher.update(plaintext), cipher.final(), cipher.getAuthTag()])
  return { nonce, ciphertext }
}

/** Throws BAD_CIPHERTEXT for whatever `seal` has not made of this key and this authenticated data. */
export function open(key: Uint8Array, authenticated: Uint8Array, { nonce, ciphertext }: Sealed): Buffer {
  // GCM accepts nonces of other lengths, and a tag cut short is guessed sooner.
  if (nonce.length !== nonceBytes || ciphertext.length < tagBytes) throw badCiphertext()
  const end = ciphertext.length - tagBytes
  const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: tagBytes })
  decipher.setAAD(authenticated)
  decipher.setAuthTag(ciphertext.subarray(end))
  // What update has decrypted is not authentic until final has agreed; it must not outlive a refusal.
  const plaintext = decipher.update(ciphertext.subarray(0, end))
  try {
    decipher.final()
  } catch {
    plaintext.fill(0)
    throw badCiphertext()
  }
  return plaintext
}

export function badCiphertext(): KeyringError {
  return new KeyringError(
    'BAD_CIPHERTEXT',
    'The ciphertext was not sealed by this keyring for this place, or was changed since.',
  )
}
