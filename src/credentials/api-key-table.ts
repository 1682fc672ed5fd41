import { EntitySchema } from 'typeorm'
import { coded, codedListColumn, rowCodeColumn } from '../base/coded-columns.ts'
import { asciiColumn, bytesColumn, integerColumn, textColumn, timeColumn } from '../base/columns.ts'
import type { ApiKeyRow, PlatformApiKeyRow } from './api-key.ts'

function sharedColumns() {
  return {
    apiKeyId: asciiColumn('apiKeyId', 36, { primary: true }),
    displayName: textColumn('displayName', 200),
    ownerId: asciiColumn('ownerId', 36),
    secretHash: bytesColumn('secretHash', { length: 32 }),
    prefix: textColumn('prefix', 63),
    permissions: codedListColumn('permissions'),
    state: asciiColumn('state', 20),
    expireTime: timeColumn('expireTime', { nullable: true }),
    version: integerColumn('version'),
    createTime: timeColumn('createTime'),
    updateTime: timeColumn('updateTime'),
    ...rowCodeColumn(),
  }
}

export const ApiKeyTable = coded(
  new EntitySchema<ApiKeyRow>({
    name: 'api_keys',
    columns: {
      tenantId: asciiColumn('tenantId', 36, { primary: true }),
      workspaceId: asciiColumn('workspaceId', 36, { primary: true }),
      ...sharedColumns(),
      ownerKind: asciiColumn('ownerKind', 20),
      lastUsedTime: timeColumn('lastUsedTime', { nullable: true }),
    },
    indices: [
      { name: 'api_keys_owner', columns: ['tenantId', 'ownerId'] },
      { name: 'api_keys_created', columns: ['tenantId', 'workspaceId', 'createTime', 'apiKeyId'] },
    ],
  }),
  ['ownerKind', 'ownerId', 'secretHash', 'permissions', 'state', 'expireTime'],
)

export const PlatformApiKeyTable = coded(
  new EntitySchema<PlatformApiKeyRow>({
    name: 'platform_api_keys',
    columns: sharedColumns(),
  }),
  ['ownerId', 'secretHash', 'permissions', 'state', 'expireTime'],
)
