import type { Clock } from '../base/clock.ts'
import type { Ids } from '../base/ids.ts'
import type { Directory } from '../tenancy/directory.ts'
import type { PlatformCapability } from '../tenancy/platform-capability.ts'
import type { CellConfig } from './cell.ts'
import { CellTable } from './cell-table.ts'

/** Makes the directory know every cell of the configuration. A cell never changes its region: tenants were promised it. */
export async function registerCells(
  directory: Directory,
  capability: PlatformCapability<'bootstrap'>,
  cells: readonly CellConfig[],
  { clock, ids }: { readonly clock: Clock; readonly ids: Ids },
): Promise<void> {
  await directory.writeUnlogged(capability, async (scope) => {
    const rows = scope.rows(CellTable)
    for (const { id, region } of cells) {
      const found = await rows.find({ cellId: id })
      if (found === undefined) {
        await rows.insert({ cellId: id, region, incarnationId: ids.next(), createTime: new Date(clock.nowMs()) })
      } else if (found.region !== region) {
        throw new Error(
          `cell ${id} is in region ${found.region}; the configuration says ${region}. Name a new cell instead.`,
        )
      }
    }
  })
}
