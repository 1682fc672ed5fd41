import type { RandomFill } from '../../base/ids.ts'
import { badCiphertext } from '../aead.ts'
import { type DataKeys, dataKeysOver } from '../data-keys.ts'
import { checkAuthenticatedData, checkKeyId, type WrappedDataKey } from '../keyring.ts'
import type { KeyStore } from './key-store.ts'
import { latestVersionOf, readLiving, unknownKey, useOnce } from './living-key.ts'
import { unwrapDataKey, wrapDataKey } from './wrapped-key.ts'

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

  return dataKeysOver({ wrap, unwrap }, random)
}
