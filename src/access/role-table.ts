import { EntitySchema } from 'typeorm'
import { coded, codedListColumn, rowCodeColumn } from '../base/coded-columns.ts'
import { asciiColumn, integerColumn, textColumn, timeColumn } from '../base/columns.ts'
import type { RoleRow } from './role.ts'

export const RoleTable = coded(
  new EntitySchema<RoleRow>({
    name: 'roles',
    columns: {
      tenantId: asciiColumn('tenantId', 36, { primary: true }),
      roleId: asciiColumn('roleId', 36, { primary: true }),
      slug: asciiColumn('slug', 63),
      displayName: textColumn('displayName', 200),
      permissions: codedListColumn('permissions'),
      assignableAt: codedListColumn('assignableAt'),
      version: integerColumn('version'),
      createTime: timeColumn('createTime'),
      updateTime: timeColumn('updateTime'),
      ...rowCodeColumn(),
    },
    indices: [{ name: 'roles_slug', columns: ['tenantId', 'slug'], unique: true }],
  }),
  ['slug', 'permissions', 'assignableAt'],
)
