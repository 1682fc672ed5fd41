import type { PlatformUnit } from '../tenancy/directory.ts'
import { platformApiKeyRows } from './api-key-store.ts'

/** Ends every key of a platform service account. Answers how many. */
export async function revokePlatformKeysOf(unit: PlatformUnit, ownerId: string): Promise<number> {
  const rows = platformApiKeyRows(unit)
  const keys = await rows.allGenuine({ ownerId, state: 'ACTIVE' })
  for (const key of keys) {
    await rows.update(key.apiKeyId, { state: 'REVOKED', version: key.version + 1, updateTime: unit.now })
  }
  return keys.length
}

export async function hasPlatformKeys(unit: PlatformUnit, ownerId: string): Promise<boolean> {
  return (await platformApiKeyRows(unit).count({ ownerId, state: 'ACTIVE' })) > 0
}
