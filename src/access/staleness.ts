import { TenureError } from '../base/errors.ts'

/** Refuses to decide by what is too old to be true: while the database cannot be read, memory is trusted for so long and no longer. */
export interface Staleness {
  /** Throws STALE. With a permission: by the bound of that permission, where it has a stricter one. */
  assertFresh(permission?: string): void
}

export interface StalenessOptions {
  /** Age in milliseconds of what decisions are made from: the oldest of all that is followed. */
  readonly ageMs: () => number
  readonly maxStalenessMs: number
  readonly maxStalenessByPermission: Readonly<Record<string, number>>
}

/** Polls are this far apart at least, so nothing can be asked to be fresher. */
const leastBoundMs = 1_000

export function createStaleness({ ageMs, maxStalenessMs, maxStalenessByPermission }: StalenessOptions): Staleness {
  const bounds = new Map(
    Object.entries(maxStalenessByPermission).map(([name, ms]) => [
      name,
      Math.max(leastBoundMs, Math.min(ms, maxStalenessMs)),
    ]),
  )
  return {
    assertFresh(permission) {
      const bound = (permission === undefined ? undefined : bounds.get(permission)) ?? maxStalenessMs
      const age = ageMs()
      if (age > bound) throw tooOld(age)
    },
  }
}

function tooOld(ageMs: number): TenureError {
  const seconds = String(Math.floor(ageMs / 1_000))
  return new TenureError(
    'STALE',
    `What this server knows is ${seconds} s old, too old to decide by: it cannot follow its database. Ask another server, or again shortly.`,
    { retryAfterMs: 1_000, metadata: { age_seconds: seconds } },
  )
}
