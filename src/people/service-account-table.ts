import { EntitySchema } from 'typeorm'
import { coded, codedListColumn, rowCodeColumn } from '../base/coded-columns.ts'
import { asciiColumn, integerColumn, textColumn, timeColumn } from '../base/columns.ts'
import type { PlatformServiceAccountRow, ServiceAccountRow } from './service-account.ts'

function sharedColumns() {
  return {
    serviceAccountId: asciiColumn('serviceAccountId', 36, { primary: true }),
    slug: asciiColumn('slug', 63),
    displayName: textColumn('displayName', 200),
    state: asciiColumn('state', 20),
    version: integerColumn('version'),
    createTime: timeColumn('createTime'),
    updateTime: timeColumn('updateTime'),
    ...rowCodeColumn(),
  }
}

export const ServiceAccountTable = coded(
  new EntitySchema<ServiceAccountRow>({
    name: 'service_accounts',
    columns: { tenantId: asciiColumn('tenantId', 36, { primary: true }), ...sharedColumns() },
    indices: [{ name: 'service_accounts_slug', columns: ['tenantId', 'slug'], unique: true }],
  }),
  ['slug', 'state'],
)

export const PlatformServiceAccountTable = coded(
  new EntitySchema<PlatformServiceAccountRow>({
    name: 'platform_service_accounts',
    columns: { ...sharedColumns(), roles: codedListColumn('roles') },
    indices: [{ name: 'platform_service_accounts_slug', columns: ['slug'], unique: true }],
  }),
  ['slug', 'state', 'roles'],
)
