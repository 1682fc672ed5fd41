import { create } from '@bufbuild/protobuf'
import { timestampFromDate } from '@bufbuild/protobuf/wkt'
import { etagOf } from '../base/etag.ts'
import { type ServiceAccount, ServiceAccount_State, ServiceAccountSchema } from '../gen/tenure/v1/service_account_pb.ts'
import type { PlatformServiceAccountRow } from './service-account.ts'

/** `tenant`: slug; empty for a service account of the platform. */
export function serviceAccountToProto(
  tenant: string,
  row: Omit<PlatformServiceAccountRow, 'roles'>,
  roles: readonly string[] = [],
): ServiceAccount {
  return create(ServiceAccountSchema, {
    name: serviceAccountName(tenant, row.slug),
    uid: row.serviceAccountId,
    etag: etagOf(row.serviceAccountId, row.version),
    createTime: timestampFromDate(row.createTime),
    updateTime: timestampFromDate(row.updateTime),
    displayName: row.displayName,
    state: ServiceAccount_State[row.state],
    roles: [...roles],
  })
}

export function serviceAccountName(tenant: string, slug: string): string {
  return tenant === '' ? `serviceAccounts/${slug}` : `tenants/${tenant}/serviceAccounts/${slug}`
}
