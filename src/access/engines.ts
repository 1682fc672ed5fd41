import { TenureError } from '../base/errors.ts'
import { platformTenantId, type TenantId } from '../base/ids.ts'
import type { Engine } from './engine/engine.ts'
import type { TenantSnapshot } from './engine/tenant-snapshot.ts'

/** Tenants come and go from memory; the platform's own principals are kept apart so that no tenant can push them out. */
export interface Engines {
  readonly tenants: Engine
  readonly platform: Engine
  /** At once when it is in memory. The nil UUID is the platform. */
  of(tenantId: TenantId): TenantSnapshot | undefined | Promise<TenantSnapshot | undefined>
  /** Throws STALE in the moment after a failed refresh, while it is being read again. */
  platformSnapshot(): TenantSnapshot
}

export function combineEngines(tenants: Engine, platform: Engine): Engines {
  const of = (tenantId: TenantId) => (tenantId === platformTenantId ? platform : tenants).snapshotById(tenantId)
  return {
    tenants,
    platform,
    of,
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
