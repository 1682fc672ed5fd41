import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { decodeBase62, encodeBase62 } from '../base/base62.ts'
import { uuidFromBytes, uuidToBytes } from '../base/ids.ts'

export interface ApiKeyRow {
  readonly tenantId: string
  /** The nil UUID for a key of the tenant. */
  readonly workspaceId: string
  readonly apiKeyId: string
  readonly displayName: string
  readonly ownerKind: 'user' | 'service_account'
  readonly ownerId: string
  readonly secretHash: Uint8Array
  readonly prefix: string
  readonly permissions: readonly string[]
  readonly state: 'ACTIVE' | 'REVOKED'
  readonly expireTime: Date | null
  readonly lastUsedTime: Date | null
  readonly version: number
  readonly createTime: Date
  readonly updateTime: Date
}

/** A key of the platform: its owner is always a service account. */
export type PlatformApiKeyRow = Omit<ApiKeyRow, 'tenantId' | 'workspaceId' | 'ownerKind' | 'lastUsedTime'>

/**
 * An API key, taken apart. The text is `tenure_<environment>_<id>_<secret><check>`: the id is tenant uid and key uid (32
 * bytes), the secret 32 random bytes, each 43 digits of base 62; the check is CRC-32 over everything before it, 6 digits.
 * It finds typing errors and truncation without a look-up; it is no protection against forgery, the secret is.
 */
export interface ParsedApiKey {
  /** The nil UUID for a key of the platform. */
  readonly tenantId: string
  readonly apiKeyId: string
  readonly secretHash: Uint8Array
}

const idDigits = 43
const secretDigits = 43
const checkDigits = 6

/** What a key looks like before anything is computed; whoever sends a megabyte learns so at once. */
const keyPattern = /^tenure_([a-z][a-z0-9]{0,15})_([0-9A-Za-z]{43})_([0-9A-Za-z]{49})$/

export function formatApiKey(environment: string, tenantId: string, apiKeyId: string, secret: Uint8Array): string {
  const id = encodeBase62(Buffer.concat([uuidToBytes(tenantId), uuidToBytes(apiKeyId)]), idDigits)
  const body = `tenure_${environment}_${id}_${encodeBase62(secret, secretDigits)}`
  return body + checkOf(body)
}

/** Undefined for everything that is not, to the letter, a key of this environment. Costs no I/O. */
export function parseApiKey(text: string, environment: string): ParsedApiKey | undefined {
  if (text.length > 200) return undefined
  const match = keyPattern.exec(text)
  if (match === null || match[1] !== environment) return undefined
  const body = text.slice(0, -checkDigits)
  if (checkOf(body) !== text.slice(-checkDigits)) return undefined
  const id = decodeBase62(match[2] ?? '', 32)
  const secret = decodeBase62((match[3] ?? '').slice(0, secretDigits), 32)
  if (id === undefined || secret === undefined) return undefined
  return {
    tenantId: uuidFromBytes(id.subarray(0, 16)),
    apiKeyId: uuidFromBytes(id.subarray(16)),
    secretHash: hashSecret(secret),
  }
}

/** A 256-bit random secret needs no slow hash: there is nothing to guess. */
export function hashSecret(secret: Uint8Array): Uint8Array {
  return createHash('sha256').update('tenure.api-key.v1').update(secret).digest()
}

/** What people recognise a key by: enough to find it, nothing of the secret. */
export function apiKeyPrefix(environment: string, apiKeyId: string): string {
  return `tenure_${environment}_…${apiKeyId.slice(-8)}`
}

function checkOf(body: string): string {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(crc32(body))
  return encodeBase62(bytes, checkDigits)
}
