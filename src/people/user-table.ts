import { EntitySchema } from 'typeorm'
import { coded, rowCodeColumn } from '../base/coded-columns.ts'
import { asciiColumn, booleanColumn, exactTextColumn, integerColumn, textColumn, timeColumn } from '../base/columns.ts'
import type { UserRow } from './user.ts'

export const UserTable = coded(
  new EntitySchema<UserRow>({
    name: 'users',
    columns: {
      tenantId: asciiColumn('tenantId', 36, { primary: true }),
      userId: asciiColumn('userId', 36, { primary: true }),
      slug: asciiColumn('slug', 63),
      issuer: exactTextColumn('issuer', 255),
      subject: exactTextColumn('subject', 255),
      email: textColumn('email', 254),
      emailVerified: booleanColumn('emailVerified'),
      displayName: textColumn('displayName', 200),
      state: asciiColumn('state', 20),
      version: integerColumn('version'),
      createTime: timeColumn('createTime'),
      updateTime: timeColumn('updateTime'),
      ...rowCodeColumn(),
    },
    indices: [
      { name: 'users_slug', columns: ['tenantId', 'slug'], unique: true },
      { name: 'users_identity', columns: ['tenantId', 'issuer', 'subject'], unique: true },
      { name: 'users_email', columns: ['tenantId', 'email', 'slug'] },
      { name: 'users_created', columns: ['tenantId', 'createTime', 'slug'] },
    ],
  }),
  ['slug', 'issuer', 'subject', 'state'],
)
