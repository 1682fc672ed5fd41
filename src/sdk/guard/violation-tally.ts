import type { CountedViolation, Violation } from './guard-violation.ts'

/**
 * Violations by statement, reason and place, with counts: a statement in a loop is one entry, and an attacker who varies
 * the text fills the tally and not the memory.
 */
export class ViolationTally {
  readonly #entries = new Map<string, { readonly violation: Violation; count: number }>()
  readonly #max: number
  #untold = 0

  constructor(max: number) {
    this.#max = max
  }

  /** How often this one was seen by now; 0 where the tally is full of others. */
  add(violation: Violation, count = 1): number {
    const key = keyOf(violation)
    const known = this.#entries.get(key)
    if (known !== undefined) {
      known.count += count
      return known.count
    }
    if (this.#entries.size >= this.#max) {
      this.#untold += count
      return 0
    }
    this.#entries.set(key, { violation, count })
    return count
  }

  get size(): number {
    return this.#entries.size
  }

  /** Seen while the tally was full: counted, and not known one by one. */
  get untold(): number {
    return this.#untold
  }

  list(): CountedViolation[] {
    return [...this.#entries.values()].map(({ violation, count }) => ({ ...violation, count }))
  }

  clear(): void {
    this.#entries.clear()
    this.#untold = 0
  }
}

function keyOf({ reason, statement, tenantUid, workspaceUid }: Violation): string {
  return JSON.stringify([reason, statement, tenantUid, workspaceUid])
}
