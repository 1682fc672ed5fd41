import { KeyringError } from '../keyring-error.ts'
import { type TransitKey, transitKeyFrom } from './transit-key.ts'
import type { CallOutcome, VaultCalls } from './vault-calls.ts'

/** Keys and tombstones in one mount of Transit. Every failure is a KeyringError; undefined: there is none of that id. */
export interface TransitStore {
  read(keyId: string): Promise<TransitKey | undefined>
  /** Leaves one that exists as it is. */
  create(keyId: string): Promise<void>
  /** False where there is no key that can be rotated. */
  rotate(keyId: string): Promise<boolean>
  /** Removes every version; nothing happens where there is none. */
  remove(keyId: string): Promise<void>
  /** When it was buried, in milliseconds. */
  readTombstone(keyId: string): Promise<number | undefined>
  /** Idempotent; the first time stays. Durable when it resolves. */
  bury(keyId: string): Promise<void>
  /** Asks Transit to do something with the key. Undefined where it refuses, for the key or for what it was given. */
  use(verb: 'datakey/plaintext' | 'decrypt', keyId: string, body: object): Promise<unknown>
}

/** What nothing may be sealed under that Transit would let out again. */
const safely = { type: 'aes256-gcm96', exportable: false, allow_plaintext_backup: false, derived: false }

/**
 * Names begin and end with a letter or `_`, which Transit demands of them and ids do not. Ids have no `_`, so that no name
 * of one is another's. A tombstone is a key that nothing is ever sealed under: Transit has no other place to write to.
 */
const keyName = (keyId: string) => `tenure_key_${keyId}_`
const tombstoneName = (keyId: string) => `tenure_destroyed_${keyId}_`

export function createTransitStore(calls: VaultCalls, mount: string): TransitStore {
  const keyPath = (keyId: string) => `${mount}/keys/${keyName(keyId)}`
  const tombstonePath = (keyId: string) => `${mount}/keys/${tombstoneName(keyId)}`
  const readAt = async (path: string): Promise<TransitKey | undefined> => {
    const outcome = await calls.ask('read', path)
    if (outcome.kind === 'missing') return undefined
    const key = outcome.kind === 'done' ? transitKeyFrom(outcome.data) : undefined
    if (key === undefined) throw notTransit(mount)
    return key
  }
  const createAt = async (path: string): Promise<void> => {
    demandDone(await calls.ask('write', path, safely), path)
  }
  return {
    read: (keyId) => readAt(keyPath(keyId)),
    create: (keyId) => createAt(keyPath(keyId)),
    async rotate(keyId) {
      return (await calls.ask('write', `${keyPath(keyId)}/rotate`)).kind === 'done'
    },
    async remove(keyId) {
      const path = keyPath(keyId)
      await calls.ask('write', `${path}/config`, { deletion_allowed: true })
      const { kind } = await calls.ask('delete', path)
      // Refused where another was first, too.
      if (kind === 'done' || (await readAt(path)) === undefined) return
      throw new KeyringError('INVALID', `Vault does not let the key ${keyName(keyId)} be deleted.`)
    },
    async readTombstone(keyId) {
      return (await readAt(tombstonePath(keyId)))?.versions[0]?.createTimeMs
    },
    bury: (keyId) => createAt(tombstonePath(keyId)),
    async use(verb, keyId, body) {
      const outcome = await calls.ask('write', `${mount}/${verb}/${keyName(keyId)}`, body)
      if (outcome.kind !== 'done') return undefined
      // What only looks like an answer must not pass for a refusal: the caller would take good data for damaged.
      if (outcome.data === undefined) throw notTransit(mount)
      return outcome.data
    },
  }
}

function demandDone(outcome: CallOutcome, path: string): void {
  if (outcome.kind !== 'done') throw new KeyringError('INVALID', `Vault does not accept a key at ${path}.`)
}

function notTransit(mount: string): KeyringError {
  return new KeyringError('INVALID', `What is mounted at ${mount} does not answer as the transit engine does.`)
}
