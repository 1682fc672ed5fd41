import type { Clock } from '../base/clock.ts'
import { StartError } from '../base/start-error.ts'
import type { Database, DatabaseIdentity } from '../storage/database.ts'
import { type PlatformCapability, platformBindingOf } from './platform-capability.ts'

/**
 * Writes into the cell what the directory knows of it, where nothing is written yet. Refuses a database that is another
 * cell, or another life of this one; from then on every new connection is asked the same.
 */
export async function claimCell(
  cell: Database,
  capability: PlatformCapability<'cell-identity'>,
  identity: DatabaseIdentity,
  clock: Clock,
): Promise<void> {
  const { cellId, incarnationId } = identity
  const found = await cell.write(platformBindingOf(capability), async (manager) => {
    const rows: Record<string, unknown>[] = await manager.query('SELECT cell_id, incarnation_id FROM cell_identity')
    if (rows[0] !== undefined) return { value: rows[0], keep: false }
    await manager.query('INSERT INTO cell_identity (cell_id, incarnation_id, create_time) VALUES (?, ?, ?)', [
      ...[cellId, incarnationId, new Date(clock.nowMs())],
    ])
    return { value: { cell_id: cellId, incarnation_id: incarnationId }, keep: true }
  })
  if (found.cell_id !== cellId || found.incarnation_id !== incarnationId) {
    throw new StartError(
      `The database of cell ${cellId} is not the one the directory knows: it is a copy, or of another cell. Name the right one, or restore the directory with it.`,
    )
  }
  cell.onlyIf(identity)
}
