import type { MessageShape } from '@bufbuild/protobuf'
import { notFound } from '../base/errors.ts'
import { platformTenantId } from '../base/ids.ts'
import { fieldsToUpdate } from '../base/update-mask.ts'
import { type UpdateTenantRequest, UpdateTenantResponseSchema } from '../gen/tenure/v1/tenant_service_pb.ts'
import { type Call, callerOf } from '../rpc/call.ts'
import { changeTenant } from './change-tenant.ts'
import { defaultPlan, defaultTier } from './tenant.ts'
import type { TenantServiceParts } from './tenant-service.ts'

const ofTenants = ['display_name', 'labels'] as const
/** What a tenant pays for and how it is served is not its own to change. */
const ofPlatform = [...ofTenants, 'plan', 'tier'] as const

export async function updateTenant(
  parts: TenantServiceParts,
  request: UpdateTenantRequest,
  call: Call,
): Promise<MessageShape<typeof UpdateTenantResponseSchema>> {
  const tenant = request.tenant
  if (tenant === undefined) throw notFound()
  const platform = callerOf(call).tenantId === platformTenantId
  const fields = changedFields(request, platform)
  const { name, etag } = tenant
  return changeTenant(parts, { name, etag, validateOnly: request.validateOnly }, call, UpdateTenantResponseSchema, {
    from: ['ACTIVE', 'SUSPENDED'],
    change(_found, _now, unit) {
      unit.note('fields', [...fields].sort())
      for (const field of ['plan', 'tier'] as const) if (fields.has(field)) unit.note(field, tenant[field])
      return {
        ...(fields.has('display_name') ? { displayName: tenant.displayName } : {}),
        ...(fields.has('labels') ? { labels: tenant.labels } : {}),
        ...(fields.has('plan') ? { plan: tenant.plan || defaultPlan } : {}),
        ...(fields.has('tier') ? { tier: tenant.tier || defaultTier } : {}),
      }
    },
  })
}

function changedFields(request: UpdateTenantRequest, platform: boolean): ReadonlySet<string> {
  const { tenant } = request
  return fieldsToUpdate(request.updateMask?.paths ?? [], platform ? ofPlatform : ofTenants, {
    display_name: tenant?.displayName !== '',
    labels: Object.keys(tenant?.labels ?? {}).length > 0,
    plan: tenant?.plan !== '',
    tier: tenant?.tier !== '',
  })
}
