/** Numbers that look like chance, and come again for the same seed. */
export interface Chance {
  /** A whole number from 0 up to `end`, which is left out. */
  below(end: number): number
  isTrue(probability: number): boolean
  pick<T>(items: readonly T[]): T
  shuffled<T>(items: readonly T[]): T[]
}

/** `stream` tells apart what draws from one seed: the numbers of one trial do not depend on what another drew. */
export function createChance(seed: number, stream: number): Chance {
  let state = (Math.imul(seed, 0x9e37_79b1) ^ Math.imul(stream + 1, 0x85eb_ca6b)) >>> 0
  // Mulberry32: 32 bits of state, every one of them used.
  const next = (): number => {
    state = (state + 0x6d2b_79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000
  }
  const below = (end: number) => Math.floor(next() * end)
  return {
    below,
    isTrue: (probability) => next() < probability,
    pick(items) {
      if (items.length === 0) throw new Error('there is nothing to pick from')
      return items[below(items.length)] as (typeof items)[number]
    },
    shuffled(items) {
      const rest = [...items]
      for (let at = rest.length - 1; at > 0; at -= 1) {
        const other = below(at + 1)
        const moved = rest[at] as (typeof items)[number]
        rest[at] = rest[other] as (typeof items)[number]
        rest[other] = moved
      }
      return rest
    },
  }
}
