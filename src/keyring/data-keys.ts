import type { RandomFill } from '../base/ids.ts'
import { checkAuthenticatedData, checkKeyId, dataKeyBytes, type Keyring, type WrappedDataKey } from './keyring.ts'

export type DataKeys = Pick<Keyring, 'generateDataKey' | 'unwrapDataKey' | 'rewrapDataKey'>

/** What an adapter does its own way. */
export interface DataKeyWrapping {
  /** Under the newest version. Its arguments are checked already. */
  wrap(keyId: string, plaintext: Uint8Array, authenticatedData: Uint8Array): Promise<WrappedDataKey>
  /** Checks its arguments itself: they come from outside. */
  unwrap(wrapped: WrappedDataKey, authenticatedData: Uint8Array): Promise<Uint8Array>
}

/** The same for every adapter: data keys are made here, and a rewrapped one is overwritten whatever came of it. */
export function dataKeysOver({ wrap, unwrap }: DataKeyWrapping, random: RandomFill): DataKeys {
  return {
    async generateDataKey(keyId, authenticatedData) {
      checkKeyId(keyId)
      checkAuthenticatedData(authenticatedData)
      const plaintext = randomKey(random)
      return { plaintext, wrapped: await wrap(keyId, plaintext, authenticatedData) }
    },
    unwrapDataKey: unwrap,
    async rewrapDataKey(wrapped, authenticatedData) {
      const plaintext = await unwrap(wrapped, authenticatedData)
      try {
        return await wrap(wrapped.keyId, plaintext, authenticatedData)
      } finally {
        plaintext.fill(0)
      }
    },
  }
}

/** 32 bytes. */
export function randomKey(random: RandomFill): Buffer {
  const key = Buffer.alloc(dataKeyBytes)
  random(key)
  // A source that fills nothing would make every key the same.
  if (key.every((byte) => byte === 0)) throw new Error('the source of randomness gave no random bytes')
  return key
}
