import { EntitySchema } from 'typeorm'
import { asciiColumn, integerColumn, jsonColumn, timeColumn } from '../base/columns.ts'
import type { SecretRow } from './secret.ts'

export const SecretTable = new EntitySchema<SecretRow>({
  name: 'secrets',
  columns: {
    tenantId: asciiColumn('tenantId', 36, { primary: true }),
    workspaceId: asciiColumn('workspaceId', 36, { primary: true }),
    secretId: asciiColumn('secretId', 36, { primary: true }),
    slug: asciiColumn('slug', 63),
    labels: jsonColumn('labels'),
    latestVersion: integerColumn('latestVersion'),
    versionCount: integerColumn('versionCount'),
    version: integerColumn('version'),
    createTime: timeColumn('createTime'),
    updateTime: timeColumn('updateTime'),
  },
  indices: [
    { name: 'secrets_slug', columns: ['tenantId', 'workspaceId', 'slug'], unique: true },
    { name: 'secrets_created', columns: ['tenantId', 'workspaceId', 'createTime', 'slug'] },
  ],
})
