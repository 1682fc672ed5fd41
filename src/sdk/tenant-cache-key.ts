import type { TenantContext, TenantLevelContext } from './tenant-context.ts'

/**
 * A key of a cache that many tenants share. The place is in it by uid, for slugs are unique only inside a tenant; each
 * part has its length before it, so that no two lists of parts make one key: joined without it, ("a:b", "c") and
 * ("a", "b:c") would read each other's entries.
 */
export function tenantCacheKey(context: TenantContext | TenantLevelContext, ...parts: readonly string[]): string {
  const { tenantUid, workspaceUid } = context
  // A workspace of an empty name would be the tenant itself.
  if (!isUid(tenantUid) || (workspaceUid !== undefined && !isUid(workspaceUid))) {
    throw new TypeError('tenantCacheKey needs the context of a verified token')
  }
  const place =
    workspaceUid === undefined ? `tenant:${tenantUid}:level:` : `tenant:${tenantUid}:workspace:${workspaceUid}:`
  return place + parts.map(prefixed).join('')
}

function prefixed(part: string): string {
  if (typeof part !== 'string') throw new TypeError('the parts of a cache key are texts')
  // Half a character becomes the same replacement as every other half once it is written as UTF-8.
  if (/\p{Cs}/u.test(part)) throw new TypeError('a part of a cache key has half a character in it')
  return `${part.length}:${part},`
}

function isUid(value: unknown): boolean {
  return typeof value === 'string' && /^[0-9a-f-]{36}$/.test(value)
}
