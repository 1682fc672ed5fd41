import type { Clock } from '../../base/clock.ts'
import type { RandomFill } from '../../base/ids.ts'
import { randomKey } from '../data-keys.ts'
import { checkKeyId, type KeyDescription, type Keyring, type KeyVersion } from '../keyring.ts'
import { KeyringError } from '../keyring-error.ts'
import { openKeyFolder } from './key-folder.ts'
import { createKeyStore, type KeyStore, recoverKeyFolder } from './key-store.ts'
import { destroyed, latestVersionOf, readLiving, unknownKey, useOnce } from './living-key.ts'
import { createLocalDataKeys } from './local-data-keys.ts'

export interface LocalKeyringOptions {
  /** Made where it is missing, unless it is only looked at. */
  readonly folder: string
  /** The folder is neither made nor brought in order: for who only asks, maybe beside a server that is writing to it. */
  readonly lookOnly?: boolean
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
  const { lookOnly = false } = options
  const folder = await openKeyFolder(options.folder, options.random, { lookOnly })
  await recoverKeyFolder(folder, { lookOnly })
  const store = createKeyStore(folder)
  const life = createKeyLife(store, options)
  const dataKeys = createLocalDataKeys(store, options.random)
  const line = createLine()
  return {
    createKey: (keyId) => line.change(() => life.createKey(keyId)),
    rotateKey: (keyId) => line.change(() => life.rotateKey(keyId)),
    destroyKey: (keyId) => line.change(() => life.destroyKey(keyId)),
    describeKey: (keyId) => line.look(() => life.describeKey(keyId)),
    generateDataKey: (keyId, authenticated) => line.look(() => dataKeys.generateDataKey(keyId, authenticated)),
    unwrapDataKey: (wrapped, authenticated) => line.look(() => dataKeys.unwrapDataKey(wrapped, authenticated)),
    rewrapDataKey: (wrapped, authenticated) => line.look(() => dataKeys.rewrapDataKey(wrapped, authenticated)),
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

type KeyLife = Pick<Keyring, 'createKey' | 'rotateKey' | 'destroyKey' | 'describeKey'>

function createKeyLife(store: KeyStore, { random, clock }: LocalKeyringOptions): KeyLife {
  const addVersion = async (keyId: string, version: number): Promise<KeyDescription> => {
    const record = { version, createTimeMs: clock.nowMs(), key: randomKey(random) }
    try {
      await store.add(keyId, record)
    } finally {
      record.key.fill(0)
    }
    // Another process may have destroyed the key since it was looked for; a version added to it must not outlive it.
    if (await store.isDestroyed(keyId)) {
      await store.erase(keyId)
      throw destroyed(keyId)
    }
    return describe(store, keyId)
  }

  return {
    async createKey(keyId) {
      checkKeyId(keyId)
      if (await store.isDestroyed(keyId)) throw destroyed(keyId)
      return (await store.latestVersion(keyId)) > 0 ? describe(store, keyId) : addVersion(keyId, 1)
    },
    async rotateKey(keyId) {
      checkKeyId(keyId)
      return addVersion(keyId, (await latestVersionOf(store, keyId)) + 1)
    },
    async destroyKey(keyId) {
      checkKeyId(keyId)
      if (!(await store.isDestroyed(keyId))) {
        if ((await store.latestVersion(keyId)) === 0) throw unknownKey(keyId)
        await store.bury(keyId, clock.nowMs())
      }
      await store.erase(keyId)
      return describe(store, keyId)
    },
    async describeKey(keyId) {
      checkKeyId(keyId)
      return describe(store, keyId)
    },
  }
}

async function describe(store: KeyStore, keyId: string): Promise<KeyDescription> {
  const destroyTimeMs = await store.destroyTimeMs(keyId)
  if (destroyTimeMs !== undefined) return { keyId, versions: [], destroyTimeMs }
  const latest = await latestVersionOf(store, keyId)
  const versions: KeyVersion[] = []
  for (let version = 1; version <= latest; version += 1) {
    const record = await readLiving(store, keyId, () => store.read(keyId, version))
    if (record === undefined) throw unknownKey(keyId)
    versions.push(useOnce(record, ({ createTimeMs }) => ({ version, createTimeMs })))
  }
  return { keyId, versions, destroyTimeMs: undefined }
}
