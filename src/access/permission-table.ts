import { EntitySchema } from 'typeorm'
import { coded, rowCodeColumn } from '../base/coded-columns.ts'
import { asciiColumn, integerColumn, textColumn, timeColumn } from '../base/columns.ts'
import type { PermissionRow } from './permission.ts'

export const PermissionTable = coded(
  new EntitySchema<PermissionRow>({
    name: 'permissions',
    columns: {
      permissionId: asciiColumn('permissionId', 127, { primary: true }),
      uid: asciiColumn('uid', 36),
      description: textColumn('description', 500),
      effect: asciiColumn('effect', 10),
      service: asciiColumn('service', 63),
      version: integerColumn('version'),
      createTime: timeColumn('createTime'),
      updateTime: timeColumn('updateTime'),
      ...rowCodeColumn(),
    },
  }),
  // What readers of everything and members of a workspace are given follows from these.
  ['service', 'effect'],
)
