import type { EntityManager, EntitySchema } from 'typeorm'
import type { Database } from '../storage/database.ts'
import { insidePlace } from './place-check.ts'
import type { TenantContext } from './tenant-context.ts'
import { bindingOf } from './tenant-unit.ts'

/** Rows a transaction removes at most, so that none holds its locks for long. */
const batch = 200

/**
 * Removes rows of the context's tenant for good, of every workspace, up to a batch of them; answers how many. That they go
 * is audited where it is decided; a line for each would keep what is to be forgotten. `keepFeedId` spares one row of the
 * journal: the tombstone's.
 */
export function eraseRows(
  cell: Database,
  context: TenantContext,
  table: EntitySchema,
  keepFeedId?: number,
): Promise<number> {
  // Bound to the tenant, not to the platform: the guard refuses the statement that would take a row of another one along.
  return insidePlace(context, () =>
    cell.write(bindingOf(context, true), async (manager) => ({
      value: await eraseIn(manager, context, table, keepFeedId),
      keep: true,
      // Removing what is left once more does no harm.
      wasCommitted: async () => false,
    })),
  )
}

async function eraseIn(
  manager: EntityManager,
  { tenantId }: TenantContext,
  table: EntitySchema,
  keepFeedId: number | undefined,
): Promise<number> {
  const id = manager.connection.getMetadata(table).primaryColumns.at(-1)
  if (id === undefined) throw new Error(`${table.options.name} has no primary key`)
  const found = manager
    .createQueryBuilder(table, 'row')
    .select(`row.${id.propertyName}`, 'id')
    .where('row.tenantId = :tenantId', { tenantId })
  if (keepFeedId !== undefined) found.andWhere('row.feedId != :keepFeedId', { keepFeedId })
  const rows: { id: string | number }[] = await found.limit(batch).getRawMany()
  if (rows.length === 0) return 0
  // Always as many: the guard judges each text once.
  const padded = Array.from({ length: batch }, (_, at) => (rows[at] ?? rows[0])?.id)
  const erased = await manager
    .createQueryBuilder()
    .delete()
    .from(table)
    .where('tenant_id = :tenantId', { tenantId })
    .andWhere(`${id.databaseName} IN (:...ids)`, { ids: padded })
    .execute()
  return erased.affected ?? 0
}
