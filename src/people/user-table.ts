import { EntitySchema } from 'typeorm'
import { asciiColumn, exactTextColumn, integerColumn, textColumn, timeColumn } from '../base/columns.ts'
import type { UserRow } from './user.ts'

export const UserTable = new EntitySchema<UserRow>({
  name: 'users',
  columns: {
    tenantId: asciiColumn('tenantId', 36, { primary: true }),
    userId: asciiColumn('userId', 36, { primary: true }),
    slug: asciiColumn('slug', 63),
    issuer: exactTextColumn('issuer'),
    subject: exactTextColumn('subject'),
    email: textColumn('email', 254),
    emailVerified: { name: 'email_verified', type: 'boolean' },
    displayName: textColumn('displayName', 200),
    state: asciiColumn('state', 20),
    version: integerColumn('version'),
    createTime: timeColumn('createTime'),
    updateTime: timeColumn('updateTime'),
  },
  indices: [
    { name: 'users_slug', columns: ['tenantId', 'slug'], unique: true },
    { name: 'users_identity', columns: ['tenantId', 'issuer', 'subject'], unique: true },
    { name: 'users_email', columns: ['tenantId', 'email', 'slug'] },
    { name: 'users_created', columns: ['tenantId', 'createTime', 'slug'] },
  ],
})
