import { type TenantId, tenantLevel } from '../base/ids.ts'
import type { TenantContext } from './tenant-context.ts'

/** The server's own look at one tenant, whoever asks. Nobody was admitted with it, so that no unit of work begins with it. */
export function readerContext(tenantId: string): TenantContext {
  return {
    tenantId: tenantId as TenantId,
    tenantSlug: '',
    workspaceId: tenantLevel,
    workspaceSlug: '',
    ...{ region: '', tier: '', placementEpoch: 0, revision: 0 },
    actor: { principal: '', credential: '', requestId: '', clientIp: '' },
  }
}
