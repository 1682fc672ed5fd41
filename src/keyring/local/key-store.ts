import { KeyringError } from '../keyring-error.ts'
import { keyFileName, parseKeyFileName, tombstoneName } from './key-file-name.ts'
import type { KeyFolder } from './key-folder.ts'
import {
  decodeKeyRecord,
  decodeTombstone,
  encodeKeyRecord,
  encodeTombstone,
  type KeyRecord,
  keyRecordBytes,
  tombstoneBytes,
} from './key-record.ts'

const maxVersions = 10_000

/** Keys as records in a folder: one file for each version, and a tombstone that outlasts them. */
export interface KeyStore {
  /** 0 where the key does not exist. */
  latestVersion(keyId: string): Promise<number>
  read(keyId: string, version: number): Promise<KeyRecord | undefined>
  /** False where that version exists already. */
  add(keyId: string, record: KeyRecord): Promise<boolean>
  isDestroyed(keyId: string): Promise<boolean>
  destroyTimeMs(keyId: string): Promise<number | undefined>
  /** Idempotent; the first time stays. */
  bury(keyId: string, destroyTimeMs: number): Promise<void>
  /** Erases every version. */
  erase(keyId: string): Promise<void>
}

export function createKeyStore(folder: KeyFolder): KeyStore {
  return {
    async latestVersion(keyId) {
      for (let version = 1; version <= maxVersions; version += 1) {
        if (!(await folder.exists(keyFileName(keyId, version)))) return version - 1
      }
      throw new KeyringError('INVALID', `The key ${keyId} has ${maxVersions} versions and can take no more.`)
    },
    read: (keyId, version) => readRecord(folder, keyId, version),
    async add(keyId, record) {
      const bytes = encodeKeyRecord(keyId, record)
      try {
        return await folder.writeNew(keyFileName(keyId, record.version), bytes)
      } finally {
        bytes.fill(0)
      }
    },
    isDestroyed: (keyId) => folder.exists(tombstoneName(keyId)),
    destroyTimeMs: (keyId) => readTombstone(folder, keyId),
    async bury(keyId, destroyTimeMs) {
      await folder.writeNew(tombstoneName(keyId), encodeTombstone(keyId, destroyTimeMs))
    },
    erase: (keyId) => eraseVersions(folder, keyId),
  }
}

/**
 * Brings the folder in order after a crash, and refuses to go on where a file is foreign, damaged or missing: a keyring
 * that starts without one of its keys looks healthy until the day somebody opens what it sealed.
 */
export async function recoverKeyFolder(
  folder: KeyFolder,
  { lookOnly = false }: { readonly lookOnly?: boolean } = {},
): Promise<void> {
  const versions = new Map<string, number[]>()
  const buried = new Set<string>()
  for (const name of await folder.list()) {
    const parsed = parseKeyFileName(name)
    if (parsed.kind === 'foreign') {
      throw new KeyringError(
        'INVALID',
        `The keyring folder holds ${JSON.stringify(name)}, which is not part of it. Move it away.`,
      )
    }
    if (parsed.kind === 'unfinished' && !lookOnly) await folder.removeUnfinished(name)
    if (parsed.kind === 'tombstone') buried.add(parsed.keyId)
    if (parsed.kind === 'key') versions.set(parsed.keyId, [...(versions.get(parsed.keyId) ?? []), parsed.version])
  }
  for (const keyId of buried) {
    await readTombstone(folder, keyId)
    // A destruction cut short, or key files put back from a backup: the tombstone wins over both.
    if (versions.delete(keyId) && !lookOnly) await eraseVersions(folder, keyId)
  }
  for (const [keyId, found] of versions) {
    await checkVersions(folder, keyId, found).catch(async (error: unknown) => {
      // Looked for afterwards: another process may be destroying it just now, and then nothing of it is missing or damaged.
      if ((await readTombstone(folder, keyId)) === undefined) throw error
    })
  }
}

async function checkVersions(folder: KeyFolder, keyId: string, found: readonly number[]): Promise<void> {
  for (let version = 1; version <= found.length; version += 1) {
    const record = await readRecord(folder, keyId, version)
    if (record === undefined) {
      const name = keyFileName(keyId, version)
      throw new KeyringError(
        'INVALID',
        `The key file ${name} is missing although later versions exist. Restore it from a backup.`,
      )
    }
    record.key.fill(0)
  }
}

async function readRecord(folder: KeyFolder, keyId: string, version: number): Promise<KeyRecord | undefined> {
  const name = keyFileName(keyId, version)
  const bytes = await folder.read(name, keyRecordBytes)
  if (bytes === undefined) return undefined
  const record = decodeKeyRecord(keyId, version, bytes)
  if (record === undefined) throw damaged(name)
  return record
}

async function readTombstone(folder: KeyFolder, keyId: string): Promise<number | undefined> {
  const name = tombstoneName(keyId)
  const bytes = await folder.read(name, tombstoneBytes)
  if (bytes === undefined) return undefined
  const destroyTimeMs = decodeTombstone(keyId, bytes)
  if (destroyTimeMs === undefined) throw damaged(name)
  return destroyTimeMs
}

async function eraseVersions(folder: KeyFolder, keyId: string): Promise<void> {
  for (const name of await folder.list()) {
    const parsed = parseKeyFileName(name)
    if (parsed.kind === 'key' && parsed.keyId === keyId) await folder.shred(name)
  }
}

function damaged(name: string): KeyringError {
  return new KeyringError('INVALID', `The key file ${name} is damaged. Restore it from a backup.`)
}
