import type { Clock } from '../../base/clock.ts'
import type { RandomFill } from '../../base/ids.ts'
import { badCiphertext } from '../aead.ts'
import {
  checkAuthenticatedData,
  checkKeyId,
  dataKeyBytes,
  type KeyDescription,
  type Keyring,
  type KeyVersion,
} from '../keyring.ts'
import { KeyringError } from '../keyring-error.ts'
import { openKeyFolder } from './key-folder.ts'
import type { KeyRecord } from './key-record.ts'
import { createKeyStore, type KeyStore, recoverKeyFolder } from './key-store.ts'
import { unwrapDataKey, wrapDataKey } from './wrapped-key.ts'

export interface LocalKeyringOptions {
  /** Made where it is missing. */
  readonly folder: string
  /** Must be a cryptographic source: keys and nonces come from it. */
  readonly random: RandomFill
  readonly clock: Clock
}

/**
 * The keyring of the embedded default: random 256-bit keys, each version a file of its own. Throws INVALID where the
 * folder is open to others than its owner, or holds what is foreign, damaged or incomplete; UNAVAILABLE where it cannot
 * be made, read or written.
 *
 * Keys are read anew for every call, so that a destruction by another process is seen at once. Several processes may
 * share the folder, on a file system that has links.
 */
export async function openLocalKeyring(options: LocalKeyringOptions): Promise<Keyring> {
  const folder = await openKeyFolder(options.folder, options.random)
  await recoverKeyFolder(folder)
  const core = createCore(createKeyStore(folder), options)
  const line = createLine()
  return {
    createKey: (keyId) => line.change(() => core.createKey(keyId)),
    rotateKey: (keyId) => line.change(() => core.rotateKey(keyId)),
    destroyKey: (keyId) => line.change(() => core.destroyKey(keyId)),
    generateDataKey: (keyId, authenticated) => line.look(() => core.generateDataKey(keyId, authenticated)),
    unwrapDataKey: (wrapped, authenticated) => line.look(() => core.unwrapDataKey(wrapped, authenticated)),
    rewrapDataKey: (wrapped, authenticated) => line.look(() => core.rewrapDataKey(wrapped, authenticated)),
    describeKey: (keyId) => line.look(() => core.describeKey(keyId)),
    checkHealth: () => line.look(() => folder.check()),
    [Symbol.asyncDispose]: () => line.close(),
  }
}

/** Lets changes through one at a time, and nothing once closed. */
function createLine() {
  let last: Promise<unknown> = Promise.resolve()
  let isClosed = false
  const look = async <T>(work: () => Promise<T>): Promise<T> => {
    if (isClosed) throw new KeyringError('UNAVAILABLE', 'The keyring is closed.')
    return work()
  }
  const change = <T>(work: () => Promise<T>): Promise<T> => {
    const turn = look(() => last.then(work))
    last = turn.catch(() => {})
    return turn
  }
  const close = async (): Promise<void> => {
    isClosed = true
    await last
  }
  return { look, change, close }
}

type Core = Omit<Keyring, 'checkHealth' | typeof Symbol.asyncDispose>

function createCore(store: KeyStore, { random, clock }: LocalKeyringOptions): Core {
  const addVersion = async (keyId: string, version: number): Promise<KeyDescription> => {
    const key = randomKey(random)
    await store.add(keyId, { version, createTimeMs: clock.nowMs(), key })
    key.fill(0)
    // Another process may have destroyed the key since it was looked for; a version added to it must not outlive it.
    if (await store.isDestroyed(keyId)) {
      await store.erase(keyId)
      throw destroyed(keyId)
    }
    return describe(store, keyId)
  }
  const newest = (keyId: string) => live(store, keyId, async () => store.read(keyId, await store.latestVersion(keyId)))

  return {
    async createKey(keyId) {
      checkKeyId(keyId)
      if (await store.isDestroyed(keyId)) throw destroyed(keyId)
      return (await store.latestVersion(keyId)) > 0 ? describe(store, keyId) : addVersion(keyId, 1)
    },
    async rotateKey(keyId) {
      checkKeyId(keyId)
      return addVersion(keyId, (await latestOf(store, keyId)) + 1)
    },
    async destroyKey(keyId) {
      checkKeyId(keyId)
      if (!(await store.isDestroyed(keyId))) {
        await latestOf(store, keyId)
        await store.bury(keyId, clock.nowMs())
      }
      await store.erase(keyId)
      return describe(store, keyId)
    },
    async describeKey(keyId) {
      checkKeyId(keyId)
      return describe(store, keyId)
    },
    async generateDataKey(keyId, authenticatedData) {
      checkKeyId(keyId)
      checkAuthenticatedData(authenticatedData)
      const record = await newest(keyId)
      if (record === undefined) throw unknownKey(keyId)
      const plaintext = randomKey(random)
      const bytes = used(record, () => wrapDataKey(keyId, record, plaintext, authenticatedData, random))
      return { plaintext, wrapped: { keyId, keyVersion: record.version, bytes } }
    },
    async unwrapDataKey({ keyId, keyVersion, bytes }, authenticatedData) {
      checkKeyId(keyId)
      checkAuthenticatedData(authenticatedData)
      if (!Number.isSafeInteger(keyVersion) || keyVersion < 1) throw badCiphertext()
      const record = await live(store, keyId, () => store.read(keyId, keyVersion))
      if (record !== undefined) return used(record, () => unwrapDataKey(keyId, record, bytes, authenticatedData))
      await latestOf(store, keyId)
      throw badCiphertext()
    },
    async rewrapDataKey(wrapped, authenticatedData) {
      const plaintext = await this.unwrapDataKey(wrapped, authenticatedData)
      try {
        const { keyId } = wrapped
        const record = await newest(keyId)
        if (record === undefined) throw unknownKey(keyId)
        const bytes = used(record, () => wrapDataKey(keyId, record, plaintext, authenticatedData, random))
        return { keyId, keyVersion: record.version, bytes }
      } finally {
        plaintext.fill(0)
      }
    },
  }
}

/** Looks for the tombstone after reading, so that a key that is just being erased is not taken for a damaged one. */
async function live<T>(store: KeyStore, keyId: string, read: () => Promise<T>): Promise<T> {
  const outcome = await read().then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  )
  if (await store.isDestroyed(keyId)) throw destroyed(keyId)
  if ('error' in outcome) throw outcome.error
  return outcome.value
}

async function latestOf(store: KeyStore, keyId: string): Promise<number> {
  const latest = await live(store, keyId, () => store.latestVersion(keyId))
  if (latest === 0) throw unknownKey(keyId)
  return latest
}

async function describe(store: KeyStore, keyId: string): Promise<KeyDescription> {
  const destroyTimeMs = await store.destroyTimeMs(keyId)
  if (destroyTimeMs !== undefined) return { keyId, versions: [], destroyTimeMs }
  const latest = await latestOf(store, keyId)
  const versions: KeyVersion[] = []
  for (let version = 1; version <= latest; version += 1) {
    const record = await live(store, keyId, () => store.read(keyId, version))
    if (record === undefined) throw unknownKey(keyId)
    versions.push(used(record, ({ createTimeMs }) => ({ version, createTimeMs })))
  }
  return { keyId, versions, destroyTimeMs: undefined }
}

/** Key material is overwritten as soon as it has served: what is not in memory is in no core dump. */
function used<T>(record: KeyRecord, use: (record: KeyRecord) => T): T {
  try {
    return use(record)
  } finally {
    record.key.fill(0)
  }
}

function randomKey(random: RandomFill): Buffer {
  const key = Buffer.alloc(dataKeyBytes)
  random(key)
  // A source that fills nothing would make every key the same.
  if (key.every((byte) => byte === 0)) throw new Error('the source of randomness gave no random bytes')
  return key
}

function unknownKey(keyId: string): KeyringError {
  return new KeyringError('UNKNOWN_KEY', `The keyring has no key ${keyId}.`)
}

function destroyed(keyId: string): KeyringError {
  return new KeyringError('DESTROYED', `The key ${keyId} was destroyed, and what it sealed with it.`)
}
