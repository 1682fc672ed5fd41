import { EntitySchema } from 'typeorm'
import { asciiColumn, timeColumn } from '../base/columns.ts'
import { TenureError } from '../base/errors.ts'
import type { PlatformUnit } from './directory.ts'
import type { Unit } from './tenant-unit.ts'

/** A name that was in use once. An old audit event, token or bookmark must never come to mean somebody else. */
export interface RetiredNameRow {
  readonly tenantId: string
  readonly workspaceId: string
  readonly collection: string
  readonly slug: string
  readonly retireTime: Date
}

export const RetiredNameTable = new EntitySchema<RetiredNameRow>({
  name: 'retired_names',
  columns: {
    tenantId: asciiColumn('tenantId', 36, { primary: true }),
    workspaceId: asciiColumn('workspaceId', 36, { primary: true }),
    collection: asciiColumn('collection', 40, { primary: true }),
    slug: asciiColumn('slug', 127, { primary: true }),
    retireTime: timeColumn('retireTime'),
  },
})

export interface DirectoryRetiredNameRow {
  readonly collection: string
  readonly slug: string
  readonly retireTime: Date
}

export const DirectoryRetiredNameTable = new EntitySchema<DirectoryRetiredNameRow>({
  name: 'directory_retired_names',
  columns: {
    collection: asciiColumn('collection', 40, { primary: true }),
    slug: asciiColumn('slug', 127, { primary: true }),
    retireTime: timeColumn('retireTime'),
  },
})

export function nameRetired(slug: string): TenureError {
  return new TenureError(
    'NAME_RETIRED',
    `${JSON.stringify(slug)} was used before, and a name is never given again. Choose another.`,
  )
}

export async function assertNeverUsed(unit: Unit, collection: string, slug: string): Promise<void> {
  if ((await unit.rows(RetiredNameTable).find({ collection, slug })) !== undefined) throw nameRetired(slug)
}

/** `place`: the workspace the name lies in, where that is not the unit's own; then the unit must be opened for all of them. */
export async function retireName(unit: Unit, collection: string, slug: string, place?: string): Promise<void> {
  const { tenantId, workspaceId: own } = unit.context
  const workspaceId = place ?? own
  await unit.rows(RetiredNameTable).insert({ tenantId, workspaceId, collection, slug, retireTime: unit.now })
}

export async function assertNeverUsedOnPlatform(unit: PlatformUnit, collection: string, slug: string): Promise<void> {
  if ((await unit.rows(DirectoryRetiredNameTable).find({ collection, slug })) !== undefined) throw nameRetired(slug)
}

export async function retirePlatformName(unit: PlatformUnit, collection: string, slug: string): Promise<void> {
  await unit.rows(DirectoryRetiredNameTable).insert({ collection, slug, retireTime: unit.now })
}
