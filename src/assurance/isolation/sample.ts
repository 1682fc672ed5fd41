/** Which tenants a probe looks at that cannot look at all of them. */
export interface Sampled {
  /** Every tenant that is there. */
  readonly tenantIds: () => Promise<readonly string[]>
  /** From 0 up to 1. */
  readonly random: () => number
  readonly max: number
}

/** Up to `max` of them, other ones each time: what one look misses a later one finds. */
export async function sampleOf({ tenantIds, random, max }: Sampled): Promise<readonly string[]> {
  const all = [...(await tenantIds())]
  for (let at = 0; at < Math.min(max, all.length); at += 1) {
    const other = at + Math.floor(random() * (all.length - at))
    const [first, second] = [all[at], all[other]]
    if (first === undefined || second === undefined) continue
    all[at] = second
    all[other] = first
  }
  return all.slice(0, max)
}
