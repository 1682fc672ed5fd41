import type { ForgedRow } from '../../tenancy/row-codes.ts'
import type { Probe } from './probe.ts'

/** Looks at the code of every row that grants power; answers how many there are. */
export type CheckCodes = (found: (row: ForgedRow) => void, pause: () => Promise<void>) => Promise<number>

/** Whether every row that grants power was written by this installation, also those that nobody has asked for yet. */
export function rowCodesProbe(check: CheckCodes): Probe {
  return {
    name: 'row-codes',
    async look({ checked, found, pause }) {
      const count = await check(({ table, tenantId, id }) => {
        const description = `The row ${id} of ${table} carries no code of this installation; it grants nothing.`
        found({ kind: 'forged-row', tenantUid: tenantId, subject: `${table} ${id}`, description })
      }, pause)
      checked(count)
    },
  }
}
