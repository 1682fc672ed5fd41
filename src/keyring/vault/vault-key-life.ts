import { checkKeyId, type KeyDescription, type Keyring } from '../keyring.ts'
import { KeyringError } from '../keyring-error.ts'
import { destroyed, type KeyWatch, unknownKey } from './key-watch.ts'
import type { TransitStore } from './transit-store.ts'

export type KeyLife = Pick<Keyring, 'createKey' | 'rotateKey' | 'destroyKey' | 'describeKey'>

export function createVaultKeyLife(store: TransitStore, watch: KeyWatch): KeyLife {
  const oneAtATime = createQueue()
  const describe = async (keyId: string): Promise<KeyDescription> => {
    const { versions } = await watch.demand(keyId)
    return { keyId, versions, destroyTimeMs: undefined }
  }

  const buried = async (keyId: string): Promise<KeyDescription | undefined> => {
    const destroyTimeMs = await store.readTombstone(keyId)
    return destroyTimeMs === undefined ? undefined : { keyId, versions: [], destroyTimeMs }
  }

  return {
    async createKey(keyId) {
      checkKeyId(keyId)
      if ((await buried(keyId)) !== undefined) throw destroyed(keyId)
      await store.create(keyId)
      // Another process may have destroyed the key since its tombstone was looked for; then this one made it anew.
      if ((await buried(keyId)) !== undefined) {
        await store.remove(keyId)
        throw destroyed(keyId)
      }
      return describe(keyId)
    },
    async rotateKey(keyId) {
      checkKeyId(keyId)
      await watch.demand(keyId)
      const isRotated = await oneAtATime(() => store.rotate(keyId))
      const description = await describe(keyId)
      if (isRotated) return description
      throw new KeyringError('INVALID', `Vault does not rotate the key ${keyId}.`)
    },
    async destroyKey(keyId) {
      checkKeyId(keyId)
      watch.forget(keyId)
      if ((await buried(keyId)) === undefined) {
        if ((await store.read(keyId)) === undefined) return (await buried(keyId)) ?? refuseUnknown(keyId)
        await store.bury(keyId)
      }
      if ((await store.read(keyId)) !== undefined) await store.remove(keyId)
      return (await buried(keyId)) ?? refuseUnknown(keyId)
    },
    async describeKey(keyId) {
      checkKeyId(keyId)
      try {
        return await describe(keyId)
      } catch (error) {
        if (!(error instanceof KeyringError && error.reason === 'DESTROYED')) throw error
        return (await buried(keyId)) ?? refuseUnknown(keyId)
      }
    },
  }
}

function refuseUnknown(keyId: string): never {
  throw unknownKey(keyId)
}

/** Rotations that meet in OpenBao are no good for each other: those of one process do not meet. */
function createQueue() {
  let last: Promise<unknown> = Promise.resolve()
  return <T>(work: () => Promise<T>): Promise<T> => {
    const turn = last.then(work)
    last = turn.catch(() => {})
    return turn
  }
}
