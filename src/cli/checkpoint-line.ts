import type { CheckpointDocument } from '../jwt/audit-checkpoint.ts'

export interface KeptCheckpoint {
  readonly document: CheckpointDocument
  readonly digest: string
}

/** What is left of a series whose database was put back, once or more often. */
export interface CheckpointLine {
  /** From the first to the newest, each on the one before but where some are missing. */
  readonly line: readonly KeptCheckpoint[]
  /** Those that were signed on what the database was before it was put back; each branch begins where it left the line. */
  readonly branches: readonly (readonly KeptCheckpoint[])[]
}

/** By digest. Restored databases count on from the number they have: one number alone does not tell which is meant. */
export function lineOf(kept: ReadonlyMap<string, KeptCheckpoint>): CheckpointLine {
  const ascending = [...kept.values()].sort(
    (a, b) => a.document.number - b.document.number || a.document.createTimeMs - b.document.createTimeMs,
  )
  const line: KeptCheckpoint[] = []
  let below = ascending.length - 1
  for (let next = newestEnd(ascending); next !== undefined; ) {
    line.push(next)
    const { number, previous } = next.document
    while ((ascending[below]?.document.number ?? 0) >= number) below -= 1
    const before = kept.get(previous)
    // Behind a gap the newest of the number that is nearest: whoever went on from there came last.
    next = before !== undefined && before.document.number < number ? before : ascending[below]
  }
  const onLine = new Set(line)
  return { line: line.reverse(), branches: branchesOf(ascending.filter((each) => !onLine.has(each))) }
}

/** The newest that nothing goes on from. What begins behind it, after a gap, is newer, whatever a clock says. */
function newestEnd(ascending: readonly KeptCheckpoint[]): KeptCheckpoint | undefined {
  const goneOnFrom = new Set(ascending.map(({ document }) => document.previous))
  const rootNumbers = new Map<string, number>()
  for (const { document, digest } of ascending) {
    rootNumbers.set(digest, rootNumbers.get(document.previous) ?? document.number)
  }
  const ends = ascending.filter(({ digest }) => !goneOnFrom.has(digest))
  let newest = ends[0]
  for (const end of ends) {
    if (newest === undefined || end.document.createTimeMs >= newest.document.createTimeMs) newest = end
  }
  for (const end of ends) {
    if ((rootNumbers.get(end.digest) ?? 0) > (newest?.document.number ?? 0)) newest = end
  }
  return newest
}

function branchesOf(ascending: readonly KeptCheckpoint[]): KeptCheckpoint[][] {
  const branches = new Map<string, KeptCheckpoint[]>()
  for (const each of ascending) {
    const branch = branches.get(each.document.previous) ?? []
    branch.push(each)
    branches.delete(each.document.previous)
    branches.set(each.digest, branch)
  }
  return [...branches.values()]
}
