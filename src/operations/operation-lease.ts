import type { Clock } from '../base/clock.ts'
import type { Rows } from '../tenancy/rows.ts'
import { LeaseLost } from './job.ts'
import type { OperationRow } from './operation.ts'

/** Reads and writes operations of one home, each in a transaction of its own. */
export interface OperationHome {
  /** Those of every tenant. */
  read<T>(work: (rows: Rows<OperationRow>) => Promise<T>): Promise<T>
  /** Those of that tenant alone: whoever can write the database can give a row of another the same id. */
  write<T>(work: (rows: Rows<OperationRow>) => Promise<T>, tenantId: string): Promise<T>
}

/** How long a server that has gone silent is waited for. */
export const leaseMs = 30_000

/** What was written past Tenure is not done; it is looked at, and told of, again after this long. */
const forgedPauseMs = 10 * 60_000
/** Of those, passed over in one look. */
const maxForged = 100

/**
 * Takes up one operation that nobody holds; undefined: there is none. Two servers that see the same one draw the same
 * next number, and one of them finds it drawn already.
 */
export async function takeUp(home: OperationHome, clock: Clock, holder: string): Promise<OperationRow | undefined> {
  const now = new Date(clock.nowMs())
  for (let passedOver = 0; passedOver < maxForged; passedOver += 1) {
    const found = await nextOpen(home, now)
    if (found === undefined) return undefined
    const { row, isGenuine } = found
    if (isGenuine) return hold(home, row, now, holder)
    const leaseExpireTime = new Date(now.getTime() + forgedPauseMs)
    await home.write((rows) => rows.update(row.operationId, { leaseExpireTime }), row.tenantId)
  }
  return undefined
}

async function nextOpen(home: OperationHome, now: Date) {
  return home.read(async (rows) => {
    const [row] = await rows.page({
      conditions: [
        { sql: 'row.state = :state', parameters: { state: 'OPEN' } },
        { sql: 'row.leaseExpireTime <= :now', parameters: { now } },
      ],
      orderBy: [
        { property: 'leaseExpireTime', descending: false },
        { property: 'operationId', descending: false },
      ],
      limit: 1,
    })
    return row === undefined ? undefined : { row, isGenuine: rows.isGenuine(row) }
  })
}

async function hold(home: OperationHome, found: OperationRow, now: Date, holder: string) {
  const attempt = found.attempt + 1
  // Counted as failed until it comes back: a job that takes its server with it is not tried for ever.
  const failureCount = found.failureCount + 1
  const leaseExpireTime = new Date(now.getTime() + leaseMs)
  const taken = { attempt, failureCount, leaseHolder: holder, leaseExpireTime }
  try {
    return await home.write(async (rows) => {
      const mine = await rows.update(found.operationId, { attempt }, { property: 'attempt', below: attempt })
      // Under the lock of the row: since it was seen, whoever has it under its old number may have ended it, or gone on.
      const row = mine ? await rows.find({ operationId: found.operationId }) : undefined
      if (row?.state !== 'OPEN' || row.leaseExpireTime > now || !rows.isGenuine(row)) throw new NotFree()
      await rows.update(found.operationId, taken)
      return { ...row, ...taken }
    }, found.tenantId)
  } catch (error) {
    if (error instanceof NotFree) return undefined
    throw error
  }
}

/** Takes the number back that was drawn. */
class NotFree extends Error {
  override readonly name = 'NotFree'
}

/** Writes only while the operation is still held under that number. Throws LeaseLost where it is not. */
export async function writeHeld(
  home: OperationHome,
  held: Pick<OperationRow, 'tenantId' | 'operationId' | 'attempt'>,
  changes: Partial<OperationRow>,
): Promise<OperationRow> {
  return home.write(async (rows) => {
    const own = { property: 'attempt', below: held.attempt + 1 } as const
    const mine = await rows.update(held.operationId, changes, own)
    const row = mine ? await rows.find({ operationId: held.operationId }) : undefined
    if (row === undefined) throw new LeaseLost('the operation was taken over by another server, or is gone')
    return row
  }, held.tenantId)
}
