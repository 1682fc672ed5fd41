import type { PlatformReadScope } from '../tenancy/platform-scope.ts'
import type { Rows } from '../tenancy/rows.ts'
import type { ReadScope, Unit } from '../tenancy/tenant-unit.ts'
import type { ApiKeyRow, PlatformApiKeyRow } from './api-key.ts'
import { ApiKeyTable, PlatformApiKeyTable } from './api-key-table.ts'

/** Keys of the scope's place: of the tenant itself, or of one workspace. */
export function apiKeyRows(scope: ReadScope): Rows<ApiKeyRow> {
  return scope.rows(ApiKeyTable)
}

export function platformApiKeyRows(scope: PlatformReadScope): Rows<PlatformApiKeyRow> {
  return scope.rows(PlatformApiKeyTable)
}

/** Ends every key of a principal, at every place of the tenant. The unit must be opened for `principal-removal`. Answers how many. */
export async function revokeKeysOf(unit: Unit, ownerId: string): Promise<number> {
  const rows = unit.rowsOfAllWorkspaces(ApiKeyTable)
  const keys = (await rows.allGenuine({ ownerId })).filter(({ state }) => state === 'ACTIVE')
  for (const key of keys) {
    await rows.update(key.apiKeyId, { state: 'REVOKED', version: key.version + 1, updateTime: unit.now })
  }
  return keys.length
}

/** Whether the principal has a key that is not revoked. The unit must be opened for `principal-removal`. */
export async function hasKeys(unit: Unit, ownerId: string): Promise<boolean> {
  return (await unit.rowsOfAllWorkspaces(ApiKeyTable).count({ ownerId, state: 'ACTIVE' })) > 0
}
