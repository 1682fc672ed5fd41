import type { Clock } from '../base/clock.ts'
import { permissionMissing } from '../base/errors.ts'
import { platformTenantId } from '../base/ids.ts'
import { callerOf } from '../rpc/call.ts'
import type { Demands } from '../rpc/ports.ts'
import type { PermissionCatalogue } from './engine/catalogue.ts'
import type { Engines } from './engines.ts'
import { isOfPlatform } from './own-permissions.ts'
import { powerOfCall } from './power.ts'

export interface DemandsParts {
  readonly engines: Engines
  readonly catalogue: PermissionCatalogue
  readonly clock: Clock
}

export function createDemands(parts: DemandsParts): Demands {
  return {
    async demand(call, context, permission) {
      const heldAt = await powerOfCall(parts, call)
      const workspace = context?.workspaceSlug
        ? (await parts.engines.of(context.tenantId))?.workspaceBySlug(context.workspaceSlug)
        : undefined
      const index = parts.catalogue.indexOf(permission)
      if (index !== undefined && heldAt(workspace).has(index)) return
      const isOfIt = callerOf(call).tenantId === platformTenantId || isOfPlatform(permission)
      throw permissionMissing(permission, isOfIt ? 'platform' : 'tenant')
    },
  }
}
