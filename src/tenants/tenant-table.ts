import { EntitySchema } from 'typeorm'
import { coded, codedLabelsColumn, codedObjectColumn, rowCodeColumn } from '../base/coded-columns.ts'
import { asciiColumn, bytesColumn, integerColumn, textColumn, timeColumn } from '../base/columns.ts'
import type { TenantHeadRow, TenantPlacementRow } from './tenant.ts'

function fieldColumns() {
  return {
    tenantId: asciiColumn('tenantId', 36, { primary: true }),
    slug: asciiColumn('slug', 63),
    displayName: textColumn('displayName', 200),
    state: asciiColumn('state', 20),
    suspensionMode: asciiColumn('suspensionMode', 20),
    suspensionReason: textColumn('suspensionReason', 500),
    suspensionTime: timeColumn('suspensionTime', { nullable: true }),
    plan: asciiColumn('plan', 63),
    tier: asciiColumn('tier', 63),
    region: asciiColumn('region', 63),
    isolation: asciiColumn('isolation', 20),
    cellId: asciiColumn('cellId', 63),
    labels: codedLabelsColumn('labels'),
    version: integerColumn('version'),
    createTime: timeColumn('createTime'),
    updateTime: timeColumn('updateTime'),
    deleteTime: timeColumn('deleteTime', { nullable: true }),
    purgeTime: timeColumn('purgeTime', { nullable: true }),
    placementEpoch: integerColumn('placementEpoch'),
  }
}

export const TenantHeadTable = coded(
  new EntitySchema<TenantHeadRow>({
    name: 'tenant_heads',
    columns: {
      ...fieldColumns(),
      timelineId: asciiColumn('timelineId', 36),
      revision: integerColumn('revision'),
      sequence: integerColumn('sequence'),
      chainHash: bytesColumn('chainHash', { length: 32 }),
      ...rowCodeColumn(),
    },
  }),
  ['slug', 'state', 'suspensionMode', 'version'],
  'places',
)

export const TenantPlacementTable = coded(
  new EntitySchema<TenantPlacementRow>({
    name: 'tenant_placements',
    columns: { ...fieldColumns(), provisioning: codedObjectColumn('provisioning'), ...rowCodeColumn() },
    indices: [
      { name: 'tenant_placements_slug', columns: ['slug'], unique: true },
      { name: 'tenant_placements_state', columns: ['state', 'slug'] },
      { name: 'tenant_placements_created', columns: ['createTime', 'slug'] },
    ],
  }),
  // It says who is to own the tenant, and a start acts on it.
  ['provisioning'],
)
