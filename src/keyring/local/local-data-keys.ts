import type { RandomFill } from '../../base/ids.ts'
import { badCiphertext } from '../aead.ts'
import { checkAuthenticatedData, checkKeyId, type Keyring, type WrappedDataKey } from '../keyring.ts'
import type { KeyStore } from './key-store.ts'
import { latestVersionOf, randomKey, readLiving, unknownKey, useOnce } from './living-key.ts'
import { unwrapDataKey, wrapDataKey } from './wrapped-key.ts'

export type DataKeys = Pick<Keyring, 'generateDataKey' | 'unwrapDataKey' | 'rewrapDataKey'>

export function createLocalDataKeys(store: KeyStore, random: RandomFill): DataKeys {
  const wrap = async (keyId: string, plaintext: Uint8Array, authenticated: Uint8Array): Promise<WrappedDataKey> => {
    const record = await readLiving(store, keyId, async () => store.read(keyId, await store.latestVersion(keyId)))
    if (record === undefined) throw unknownKey(keyId)
    const bytes = useOnce(record, () => wrapDataKey(keyId, record, plaintext, authenticated, random))
    return { keyId, keyVersion: record.version, bytes }
  }

  const unwrap = async (wrapped: WrappedDataKey, authenticated: Uint8Array): Promise<Uint8Array> => {
    const { keyId, keyVersion, bytes } = wrapped
    checkKeyId(keyId)
    checkAuthenticatedData(authenticated)
    if (!Number.isSafeInteger(keyVersion) || keyVersion < 1) throw badCiphertext()
    const record = await readLiving(store, keyId, () => store.read(keyId, keyVersion))
    if (record !== undefined) return useOnce(record, () => unwrapDataKey(keyId, record, bytes, authenticated))
    await latestVersionOf(store, keyId)
    throw badCiphertext()
  }

  return {
    async generateDataKey(keyId, authenticated) {
      checkKeyId(keyId)
      checkAuthenticatedData(authenticated)
      const plaintext = randomKey(random)
      return { plaintext, wrapped: await wrap(keyId, plaintext, authenticated) }
    },
    unwrapDataKey: unwrap,
    async rewrapDataKey(wrapped, authenticated) {
      const plaintext = await unwrap(wrapped, authenticated)
      try {
        return await wrap(wrapped.keyId, plaintext, authenticated)
      } finally {
        plaintext.fill(0)
      }
    },
  }
}
