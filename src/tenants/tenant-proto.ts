import { create } from '@bufbuild/protobuf'
import { timestampFromDate } from '@bufbuild/protobuf/wkt'
import { etagOf } from '../base/etag.ts'
import {
  type Tenant,
  Tenant_Isolation,
  Tenant_State,
  Tenant_SuspensionMode,
  TenantSchema,
} from '../gen/tenure/v1/tenant_pb.ts'
import type { TenantFields } from './tenant.ts'

export function tenantToProto(tenant: TenantFields): Tenant {
  if (tenant.state === 'PURGED') throw new Error('a tombstone is shown to nobody')
  const suspended = tenant.state === 'SUSPENDED' && tenant.suspensionTime !== null
  return create(TenantSchema, {
    name: `tenants/${tenant.slug}`,
    uid: tenant.tenantId,
    etag: etagOf(tenant.tenantId, tenant.version),
    createTime: timestampFromDate(tenant.createTime),
    updateTime: timestampFromDate(tenant.updateTime),
    ...(tenant.deleteTime === null ? {} : { deleteTime: timestampFromDate(tenant.deleteTime) }),
    ...(tenant.purgeTime === null ? {} : { purgeTime: timestampFromDate(tenant.purgeTime) }),
    displayName: tenant.displayName,
    state: Tenant_State[tenant.state],
    ...(suspended && tenant.suspensionTime !== null
      ? {
          suspension: {
            mode: Tenant_SuspensionMode[tenant.suspensionMode === 'NONE' ? 'UNSPECIFIED' : tenant.suspensionMode],
            reason: tenant.suspensionReason,
            time: timestampFromDate(tenant.suspensionTime),
          },
        }
      : {}),
    plan: tenant.plan,
    tier: tenant.tier,
    region: tenant.region,
    isolation: Tenant_Isolation[tenant.isolation],
    cell: `cells/${tenant.cellId}`,
    labels: { ...tenant.labels },
  })
}
