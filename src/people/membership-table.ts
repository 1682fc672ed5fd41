import { EntitySchema } from 'typeorm'
import { coded, codedListColumn, rowCodeColumn } from '../base/coded-columns.ts'
import { asciiColumn, booleanColumn, integerColumn, timeColumn } from '../base/columns.ts'
import type { MembershipRow } from './membership.ts'

export const MembershipTable = coded(
  new EntitySchema<MembershipRow>({
    name: 'memberships',
    columns: {
      tenantId: asciiColumn('tenantId', 36, { primary: true }),
      workspaceId: asciiColumn('workspaceId', 36, { primary: true }),
      membershipId: asciiColumn('membershipId', 36, { primary: true }),
      slug: asciiColumn('slug', 63),
      principalKind: asciiColumn('principalKind', 20),
      principalId: asciiColumn('principalId', 36),
      roles: codedListColumn('roles'),
      reachAll: booleanColumn('reachAll'),
      expireTime: timeColumn('expireTime', { nullable: true }),
      version: integerColumn('version'),
      createTime: timeColumn('createTime'),
      updateTime: timeColumn('updateTime'),
      ...rowCodeColumn(),
    },
    indices: [
      { name: 'memberships_slug', columns: ['tenantId', 'workspaceId', 'slug'], unique: true },
      { name: 'memberships_principal', columns: ['tenantId', 'workspaceId', 'principalId'], unique: true },
      { name: 'memberships_of_principal', columns: ['tenantId', 'principalId'] },
      { name: 'memberships_created', columns: ['tenantId', 'workspaceId', 'createTime', 'slug'] },
    ],
  }),
  ['slug', 'principalKind', 'principalId', 'roles', 'reachAll', 'expireTime'],
)
