import { EntitySchema } from 'typeorm'
import { asciiColumn, bytesColumn, integerColumn, timeColumn } from '../base/columns.ts'
import type { SecretVersionRow } from './secret-version.ts'

export const SecretVersionTable = new EntitySchema<SecretVersionRow>({
  name: 'secret_versions',
  columns: {
    tenantId: asciiColumn('tenantId', 36, { primary: true }),
    workspaceId: asciiColumn('workspaceId', 36, { primary: true }),
    secretVersionId: asciiColumn('secretVersionId', 36, { primary: true }),
    secretId: asciiColumn('secretId', 36),
    number: integerColumn('number'),
    state: asciiColumn('state', 20),
    payloadBytes: integerColumn('payloadBytes'),
    version: integerColumn('version'),
    createTime: timeColumn('createTime'),
    updateTime: timeColumn('updateTime'),
    destroyTime: timeColumn('destroyTime', { nullable: true }),
    envelope: bytesColumn('envelope', { nullable: true }),
  },
  indices: [
    { name: 'secret_versions_number', columns: ['tenantId', 'workspaceId', 'secretId', 'number'], unique: true },
  ],
})
