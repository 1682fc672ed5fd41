/** Up to `max` of them, in random order, other ones each time. `random`: from 0 up to 1. */
export function sampled<T>(all: readonly T[], max: number, random: () => number): T[] {
  const left = [...all]
  const taken: T[] = []
  while (taken.length < max && left.length > 0) {
    const at = Math.floor(random() * left.length)
    const last = left.pop()
    if (last === undefined) break
    const chosen = left[at]
    taken.push(chosen ?? last)
    if (chosen !== undefined) left[at] = last
  }
  return taken
}
