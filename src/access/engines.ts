import { TenureError } from '../base/errors.ts'
import { platformTenantId, type TenantId } from '../base/ids.ts'
import type { Engine } from './engine/engine.ts'
import type { TenantSnapshot } from './engine/tenant-snapshot.ts'
import type { Staleness } from './staleness.ts'

type Sooner<Value> = Value | Promise<Value>

/**
 * Tenants come and go from memory; the platform's own principals are kept apart so that no tenant can push them out.
 * Whatever is decided by is got from here, and fails with STALE once it is too old.
 */
export interface Engines {
  /** To tell of commits and to wait for them; never to decide by. */
  readonly tenants: Engine
  readonly platform: Engine
  /** At once when it is in memory. The nil UUID is the platform. */
  of(tenantId: TenantId): Sooner<TenantSnapshot | undefined>
  bySlug(slug: string): Sooner<TenantSnapshot | undefined>
  /** Throws STALE in the moment after a failed refresh, while it is being read again. */
  platformSnapshot(): TenantSnapshot
}

export function combineEngines(tenants: Engine, platform: Engine, staleness: Staleness): Engines {
  const of = (tenantId: TenantId) => {
    staleness.assertFresh()
    return mayBeLeft((tenantId === platformTenantId ? platform : tenants).snapshotById(tenantId))
  }
  return {
    tenants,
    platform,
    of,
    bySlug(slug) {
      staleness.assertFresh()
      return mayBeLeft(tenants.snapshotBySlug(slug))
    },
    platformSnapshot() {
      const snapshot = of(platformTenantId)
      if (snapshot === undefined || snapshot instanceof Promise) {
        throw new TenureError('STALE', 'What is known of the platform is being read again. Repeat the call.', {
          retryAfterMs: 50,
        })
      }
      return snapshot
    },
  }
}

/** Who cannot wait only begins a load: that it fails while the database is away must not end the process. */
function mayBeLeft<Value>(found: Sooner<Value>): Sooner<Value> {
  if (found instanceof Promise) found.catch(() => undefined)
  return found
}
