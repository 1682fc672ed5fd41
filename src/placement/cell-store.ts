import type { Clock } from '../base/clock.ts'
import type { Ids } from '../base/ids.ts'
import type { Directory } from '../tenancy/directory.ts'
import type { PlatformCapability } from '../tenancy/platform-capability.ts'
import type { CellConfig, CellRow } from './cell.ts'
import { CellTable } from './cell-table.ts'

/** Makes the directory know every cell of the configuration, and answers what it knows of them. A cell never changes its region: tenants were promised it. */
export async function registerCells(
  directory: Directory,
  capability: PlatformCapability<'bootstrap'>,
  cells: readonly CellConfig[],
  { clock, ids }: { readonly clock: Clock; readonly ids: Ids },
): Promise<CellRow[]> {
  return directory.writeUnlogged(capability, async (scope) => {
    const rows = scope.rows(CellTable)
    const registered: CellRow[] = []
    for (const { id, region } of cells) {
      const found = await rows.find({ cellId: id })
      const cell = found ?? { cellId: id, region, incarnationId: ids.next(), createTime: new Date(clock.nowMs()) }
      if (found === undefined) await rows.insert(cell)
      registered.push(cell)
      if (cell.region !== region) {
        throw new Error(
          `cell ${id} is in region ${cell.region}; the configuration says ${region}. Name a new cell instead.`,
        )
      }
    }
    return registered
  })
}
