import type { GuardBinding } from '../../src/sql-guard/guard-types.ts'
import type { Database } from '../../src/storage/database.ts'

interface Manager {
  query(...args: unknown[]): Promise<unknown>
}

type Work = (manager: Manager) => Promise<unknown>
type Write = (binding: GuardBinding, work: Work) => Promise<unknown>

/** Which writes are meant: heartbeats and the like go on beside them. */
export type IsMeant = (binding: GuardBinding) => boolean

export function ofPurpose(purpose: string): IsMeant {
  return (binding) => binding.kind === 'platform' && binding.purpose === purpose
}

/** Makes another of the next write that is meant. */
export function nextWriteOf(
  database: Database,
  isMeant: IsMeant,
  changed: (write: (work: Work) => Promise<unknown>, work: Work) => Promise<unknown>,
): void {
  const place = database as unknown as { write: Write }
  const { write } = place
  place.write = (binding, work) => {
    if (!isMeant(binding)) return write(binding, work)
    place.write = write
    return changed((each) => write(binding, each), work)
  }
}

/** Runs `meanwhile` between the first statement of the next transaction that is meant and the second. */
export function afterFirstStatement(database: Database, isMeant: IsMeant, meanwhile: () => Promise<unknown>): void {
  nextWriteOf(database, isMeant, (write, work) =>
    write((manager) => {
      const { query } = manager
      manager.query = async (...args) => {
        manager.query = query
        const answer = await query.apply(manager, args)
        await meanwhile()
        return answer
      }
      return work(manager)
    }),
  )
}
