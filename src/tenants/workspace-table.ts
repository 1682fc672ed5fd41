import { EntitySchema } from 'typeorm'
import { coded, codedLabelsColumn, rowCodeColumn } from '../base/coded-columns.ts'
import { asciiColumn, integerColumn, textColumn, timeColumn } from '../base/columns.ts'
import type { WorkspaceRow } from './workspace.ts'

export const WorkspaceTable = coded(
  new EntitySchema<WorkspaceRow>({
    name: 'workspaces',
    columns: {
      tenantId: asciiColumn('tenantId', 36, { primary: true }),
      workspaceId: asciiColumn('workspaceId', 36, { primary: true }),
      slug: asciiColumn('slug', 63),
      displayName: textColumn('displayName', 200),
      state: asciiColumn('state', 20),
      labels: codedLabelsColumn('labels'),
      version: integerColumn('version'),
      createTime: timeColumn('createTime'),
      updateTime: timeColumn('updateTime'),
      deleteTime: timeColumn('deleteTime', { nullable: true }),
      purgeTime: timeColumn('purgeTime', { nullable: true }),
      ...rowCodeColumn(),
    },
    indices: [
      { name: 'workspaces_slug', columns: ['tenantId', 'slug'], unique: true },
      { name: 'workspaces_created', columns: ['tenantId', 'createTime', 'slug'] },
    ],
  }),
  ['slug', 'state', 'version'],
  'places',
)
