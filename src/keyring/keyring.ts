import { KeyringError } from './keyring-error.ts'

export interface KeyVersion {
  /** 1 for the first, one more with every rotation, no gaps. */
  readonly version: number
  readonly createTimeMs: number
}

export interface KeyDescription {
  readonly keyId: string
  /** Oldest first; empty once destroyed. */
  readonly versions: readonly KeyVersion[]
  /** Undefined while the key lives. */
  readonly destroyTimeMs: number | undefined
}

/** A data key that only the keyring can open, and what it must be told to do so. Not secret. */
export interface WrappedDataKey {
  readonly keyId: string
  readonly keyVersion: number
  /** Opaque; its format belongs to the adapter. */
  readonly bytes: Uint8Array
}

export interface DataKey {
  /** 32 bytes, fresh. The caller's to use and to overwrite; the keyring keeps no copy. */
  readonly plaintext: Uint8Array
  readonly wrapped: WrappedDataKey
}

/**
 * Keys that never leave, and data keys they wrap. Every failure is a KeyringError. Key ids match `^[a-z0-9-]{1,128}$`;
 * anything else is INVALID before the adapter's store is touched, because ids become names of files and paths of URLs.
 *
 * Ordering: what a call made is seen by every call, through any instance over the same store, that begins after it
 * resolved. Calls that overlap take effect in some order. Atomicity: a call that fails, or whose process dies, has taken
 * effect whole or not at all, except destroyKey, see there. Durability: what has resolved survives a crash of process and
 * machine.
 *
 * Not guaranteed: that a plaintext data key handed out earlier stops working after a rotation or destruction; who holds
 * one must drop it. No retry, no cache, no limit on calls.
 */
export interface Keyring extends AsyncDisposable {
  /** Makes a key, version 1. Idempotent: a key that exists is described and left as it is. Throws DESTROYED for an id that was ever destroyed. */
  createKey(keyId: string): Promise<KeyDescription>

  /**
   * Adds a version, which wraps from now on; older versions go on unwrapping. Not idempotent. Where processes rotate one key
   * at the same moment, an adapter may add more versions than there were calls. Throws UNKNOWN_KEY, DESTROYED.
   */
  rotateKey(keyId: string): Promise<KeyDescription>

  /**
   * Makes a random data key and wraps it under the newest version. It unwraps only with the same authenticated data, at
   * most 4096 bytes, which is not stored. Throws UNKNOWN_KEY, DESTROYED.
   */
  generateDataKey(keyId: string, authenticatedData: Uint8Array): Promise<DataKey>

  /** The plaintext of a wrapped data key. Throws BAD_CIPHERTEXT where any part of it or of the authenticated data differs; UNKNOWN_KEY, DESTROYED. */
  unwrapDataKey(wrapped: WrappedDataKey, authenticatedData: Uint8Array): Promise<Uint8Array>

  /** The same data key, wrapped under the newest version. Throws what unwrapDataKey throws. */
  rewrapDataKey(wrapped: WrappedDataKey, authenticatedData: Uint8Array): Promise<WrappedDataKey>

  /**
   * Makes every version unrecoverable from this keyring and retires the id for good. Idempotent. The retirement comes
   * first and is durable: from then on the key is neither created, rotated nor described as living, even if the process
   * dies before every version is erased, and repeating the call erases the rest. Adapters differ in what such a death
   * leaves: the local one unwraps nothing from the retirement on, one in Vault goes on with data keys until the call is
   * repeated, so whoever destroys repeats it until it resolves. Copies outside the keyring (backups, snapshots, blocks a
   * disk keeps behind the file system) are out of its reach. Throws UNKNOWN_KEY.
   */
  destroyKey(keyId: string): Promise<KeyDescription>

  /** Answers for destroyed keys too. Throws UNKNOWN_KEY. */
  describeKey(keyId: string): Promise<KeyDescription>

  /** Resolves where the keyring could do its work now; throws UNAVAILABLE or INVALID, with a sentence for the operator. */
  checkHealth(): Promise<void>

  /** Waits for calls that change something; every later call throws UNAVAILABLE. */
  [Symbol.asyncDispose](): Promise<void>
}

export const dataKeyBytes = 32

const keyIdPattern = /^[a-z0-9-]{1,128}$/
const maxAuthenticatedBytes = 4096

/** For adapters: a dot or slash in an id would reach another key's file or path. */
export function checkKeyId(keyId: string): void {
  if (typeof keyId === 'string' && keyIdPattern.test(keyId)) return
  throw new KeyringError('INVALID', 'A key id is 1 to 128 characters of a-z, 0-9 and -.')
}

/** For adapters. */
export function checkAuthenticatedData(bytes: Uint8Array): void {
  if (bytes.length <= maxAuthenticatedBytes) return
  throw new KeyringError('INVALID', `Authenticated data has at most ${maxAuthenticatedBytes} bytes.`)
}
