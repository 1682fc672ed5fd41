import { KeyringError } from '../keyring-error.ts'
import type { KeyRecord } from './key-record.ts'
import type { KeyStore } from './key-store.ts'

/**
 * Throws DESTROYED for a buried key, whatever `read` came to. The tombstone is looked for after reading, so that a key
 * that is just being erased is not taken for a damaged one.
 */
export async function readLiving<T>(store: KeyStore, keyId: string, read: () => Promise<T>): Promise<T> {
  const outcome = await read().then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  )
  if (await store.isDestroyed(keyId)) throw destroyed(keyId)
  if ('error' in outcome) throw outcome.error
  return outcome.value
}

/** Throws UNKNOWN_KEY where there is none. */
export async function latestVersionOf(store: KeyStore, keyId: string): Promise<number> {
  const latest = await readLiving(store, keyId, () => store.latestVersion(keyId))
  if (latest === 0) throw unknownKey(keyId)
  return latest
}

/** Key material is overwritten as soon as it has served: what is not in memory is in no core dump. */
export function useOnce<T>(record: KeyRecord, use: (record: KeyRecord) => T): T {
  try {
    return use(record)
  } finally {
    record.key.fill(0)
  }
}

export function unknownKey(keyId: string): KeyringError {
  return new KeyringError('UNKNOWN_KEY', `The keyring has no key ${keyId}.`)
}

export function destroyed(keyId: string): KeyringError {
  return new KeyringError('DESTROYED', `The key ${keyId} was destroyed, and what it sealed with it.`)
}
