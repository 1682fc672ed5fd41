import { timingSafeEqual } from 'node:crypto'
import type { ParsedApiKey } from '../credentials/api-key.ts'
import type { ApiKeyFact } from './engine/facts.ts'
import type { TenantSnapshot } from './engine/tenant-snapshot.ts'

/** The stored key, if the secret presented is its secret. Compared in constant time. */
export function verifySecret(snapshot: TenantSnapshot | undefined, key: ParsedApiKey): ApiKeyFact | undefined {
  const fact = snapshot?.apiKeyById(key.apiKeyId)
  if (fact === undefined || fact.secretHash.length !== key.secretHash.length) return undefined
  return timingSafeEqual(fact.secretHash, key.secretHash) ? fact : undefined
}
