import type { Clock } from '../base/clock.ts'
import { notFound, permissionMissing } from '../base/errors.ts'
import { platformTenantId } from '../base/ids.ts'
import { callerOf } from '../rpc/call.ts'
import type { Demands } from '../rpc/ports.ts'
import type { Engines } from './engines.ts'
import { powerOfCaller } from './power.ts'

export function createDemands({ engines, clock }: { readonly engines: Engines; readonly clock: Clock }): Demands {
  return {
    async demand(call, context, permission) {
      const caller = callerOf(call)
      const snapshot = await engines.of(caller.tenantId)
      if (snapshot === undefined) throw notFound()
      const place = context?.workspaceSlug ?? ''
      const workspace =
        caller.tenantId === platformTenantId || place === '' ? undefined : snapshot.workspaceBySlug(place)
      const index = snapshot.catalogue.indexOf(permission)
      const power = powerOfCaller(snapshot, caller, workspace, clock.nowMs())
      if (index === undefined || !power.has(index)) throw permissionMissing(permission)
    },
  }
}
