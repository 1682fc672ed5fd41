import { createHash } from 'node:crypto'
import type { Ids } from '../base/ids.ts'
import { lengthPrefixed } from '../base/length-prefixed.ts'
import type { PlatformReadScope } from '../tenancy/platform-scope.ts'
import type { Rows } from '../tenancy/rows.ts'
import type { GuardViolationRow, SeenViolation } from './guard-violation.ts'
import { GuardViolationTable } from './guard-violation-table.ts'

export function guardViolationRows(scope: PlatformReadScope): Rows<GuardViolationRow> {
  return scope.rows(GuardViolationTable)
}

/** What makes two of them one. */
export function fingerprintOf({
  source,
  tenantUid,
  workspaceUid,
  reason,
  statement,
  guardMode,
}: SeenViolation): Buffer {
  const parts = [source, tenantUid, workspaceUid, reason, statement, guardMode]
  return createHash('sha256').update(lengthPrefixed(parts)).digest()
}

/** Adds what was seen to what is known. */
export async function recordViolation(
  scope: PlatformReadScope,
  seen: SeenViolation,
  now: Date,
  ids: Ids,
): Promise<void> {
  const rows = guardViolationRows(scope)
  const fingerprint = fingerprintOf(seen)
  const known = await rows.find({ fingerprint })
  if (known !== undefined) {
    // Another server may count the same one now. Whoever has written the row holds its lock and reads it as it is.
    await rows.update(known.violationId, { lastTime: now })
    const locked = await rows.find({ fingerprint })
    const seenCount = (locked ?? known).seenCount + seen.seenCount
    await rows.update(known.violationId, { seenCount, lastTime: now })
    return
  }
  await rows.insert({ ...seen, violationId: ids.next(), fingerprint, firstTime: now, lastTime: now })
}
