import { hash } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import type { ApiKeyFact } from '../access/engine/facts.ts'
import type { TenantSnapshot } from '../access/engine/tenant-snapshot.ts'
import type { Engines } from '../access/engines.ts'
import { verifySecret } from '../access/verify-secret.ts'
import type { Clock } from '../base/clock.ts'
import { TenureError } from '../base/errors.ts'
import { platformTenantId, type TenantId, tenantLevel } from '../base/ids.ts'
import { nameIn, principalNameIn } from '../base/resource-name.ts'
import type { Caller } from '../rpc/call.ts'
import type { Authenticator } from '../rpc/ports.ts'
import { type ParsedApiKey, parseApiKey } from './api-key.ts'

export interface AuthenticatorParts {
  readonly engines: Engines
  readonly clock: Clock
  readonly environment: string
  /** How many credentials are remembered by their hash. */
  readonly cacheSize?: number
}

/** A credential that was verified once; the fact it was verified against must still be the one in memory. */
interface Known {
  readonly caller: Caller
  readonly fact: ApiKeyFact
}

const scheme = 'Bearer '
/**
 * Tenants that a key named and that are not there: keys made up by strangers are then refused as fast as others, and cause
 * no reads. Nobody knows the uid of a tenant before it stands, so that none becomes good while it is remembered.
 */
const maxAbsent = 10_000
const absentMs = 60_000

export function createAuthenticator(parts: AuthenticatorParts): Authenticator {
  // By hash: nothing in memory holds a key longer than its call.
  const known = new LRUCache<string, Known>({ max: parts.cacheSize ?? 10_000 })
  const absentSince = new LRUCache<string, number>({ max: maxAbsent })
  const isAbsent = (tenantId: string): boolean => {
    const sinceMs = absentSince.get(tenantId)
    return sinceMs !== undefined && parts.clock.monotonicMs() - sinceMs < absentMs
  }
  const verifyIn = (snapshot: TenantSnapshot | undefined, key: ParsedApiKey, digest: string): Caller => {
    const verified = verify(snapshot, key, parts.clock.nowMs())
    if (verified === undefined) throw invalidCredential()
    known.set(digest, verified)
    return verified.caller
  }
  return {
    authenticate(authorization) {
      // A megabyte of credential is refused before it costs a hash.
      if (authorization.length > 512 || !authorization.startsWith(scheme)) throw invalidCredential()
      const digest = hash('sha256', authorization, 'base64')
      const remembered = known.get(digest)
      if (remembered !== undefined) {
        const snapshot = parts.engines.of(remembered.caller.tenantId)
        if (!(snapshot instanceof Promise) && isLive(remembered, snapshot, parts.clock.nowMs()))
          return remembered.caller
        known.delete(digest)
      }
      const key = parseApiKey(authorization.slice(scheme.length), parts.environment)
      if (key === undefined) throw invalidCredential()
      const snapshot = isAbsent(key.tenantId) ? undefined : parts.engines.of(key.tenantId as TenantId)
      if (!(snapshot instanceof Promise)) return verifyIn(snapshot, key, digest)
      return snapshot.then((loaded) => {
        if (loaded === undefined) absentSince.set(key.tenantId, parts.clock.monotonicMs())
        return verifyIn(loaded, key, digest)
      })
    },
  }
}

function isLive({ fact, caller }: Known, snapshot: TenantSnapshot | undefined, nowMs: number): boolean {
  return (
    snapshot !== undefined &&
    snapshot.apiKeyById(fact.apiKeyId) === fact &&
    isUsable(fact, nowMs) &&
    hasPlace(fact, snapshot) &&
    snapshot.tenant.state !== 'DELETED' &&
    snapshot.principalById(caller.principalId)?.active === true
  )
}

/** A key of one workspace ends with it, and comes back with it. */
function hasPlace(fact: ApiKeyFact, snapshot: TenantSnapshot): boolean {
  if (fact.workspaceId === tenantLevel) return true
  const state = snapshot.workspaceById(fact.workspaceId)?.state
  return state !== undefined && state !== 'DELETED'
}

function isUsable(fact: ApiKeyFact, nowMs: number): boolean {
  return !fact.revoked && (fact.expireTimeMs === undefined || fact.expireTimeMs > nowMs)
}

function verify(snapshot: TenantSnapshot | undefined, key: ParsedApiKey, nowMs: number): Known | undefined {
  const fact = verifySecret(snapshot, key)
  if (snapshot === undefined || fact === undefined || !isUsable(fact, nowMs)) return undefined
  const owner = snapshot.principalById(fact.ownerId)
  if (owner === undefined || !owner.active || snapshot.tenant.state === 'DELETED') return undefined
  if (!hasPlace(fact, snapshot)) return undefined
  const workspace = fact.workspaceId === tenantLevel ? undefined : snapshot.workspaceById(fact.workspaceId)
  const platform = snapshot.tenant.tenantId === platformTenantId
  const tenant = platform ? '' : snapshot.tenant.slug
  const caller: Caller = Object.freeze({
    principal: principalNameIn({ tenant, workspace: '' }, owner),
    principalKind: owner.kind,
    principalId: owner.principalId,
    tenantId: snapshot.tenant.tenantId,
    tenantSlug: tenant,
    workspaceId: fact.workspaceId,
    workspaceSlug: workspace?.slug ?? '',
    credentialKind: 'api_key',
    credential: nameIn({ tenant, workspace: workspace?.slug ?? '' }, 'apiKeys', fact.apiKeyId),
    credentialId: fact.apiKeyId,
    expireTimeMs: fact.expireTimeMs,
  })
  return { caller, fact }
}

function invalidCredential(): TenureError {
  return new TenureError(
    'CREDENTIAL_INVALID',
    'This credential is not valid. Send `authorization: Bearer <api key>` with a key that is live.',
  )
}
