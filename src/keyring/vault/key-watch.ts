import { LRUCache } from 'lru-cache'
import type { Clock } from '../../base/clock.ts'
import { KeyringError } from '../keyring-error.ts'
import type { TransitKey } from './transit-key.ts'
import type { TransitStore } from './transit-store.ts'

/** Knows which keys may be sealed under. */
export interface KeyWatch {
  /** The key as it is now. Throws UNKNOWN_KEY, DESTROYED; INVALID for one that does not keep its secrets. */
  demand(keyId: string): Promise<TransitKey>
  /** The same, from memory where it was asked not long ago. */
  demandLately(keyId: string): Promise<void>
  forget(keyId: string): void
}

const maxRemembered = 10_000
const rememberedMs = 10 * 60_000

export function createKeyWatch(store: TransitStore, clock: Clock): KeyWatch {
  const seen = new LRUCache<string, true>({
    max: maxRemembered,
    ttl: rememberedMs,
    perf: { now: () => clock.monotonicMs() },
  })
  const demand = async (keyId: string): Promise<TransitKey> => {
    const key = await demandLiving(store, keyId)
    if (key.flaw !== undefined) {
      throw new KeyringError('INVALID', `The key ${keyId} in Vault ${key.flaw}. Nothing is sealed under such a key.`)
    }
    seen.set(keyId, true)
    return key
  }
  return {
    demand,
    async demandLately(keyId) {
      if (!seen.has(keyId)) await demand(keyId)
    },
    forget: (keyId) => void seen.delete(keyId),
  }
}

/**
 * The tombstone is looked for after the key: one that is just being removed is not taken for one that never was, and one
 * whose removal was cut short counts as removed.
 */
async function demandLiving(store: TransitStore, keyId: string): Promise<TransitKey> {
  const key = await store.read(keyId)
  if ((await store.readTombstone(keyId)) !== undefined) throw destroyed(keyId)
  if (key === undefined) throw unknownKey(keyId)
  return key
}

export function unknownKey(keyId: string): KeyringError {
  return new KeyringError('UNKNOWN_KEY', `The keyring has no key ${keyId}.`)
}

export function destroyed(keyId: string): KeyringError {
  return new KeyringError('DESTROYED', `The key ${keyId} was destroyed, and what it sealed with it.`)
}
