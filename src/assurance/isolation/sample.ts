import { sampled } from '../../base/sampled.ts'

/** Which tenants a probe looks at that cannot look at all of them. */
export interface Sampled {
  /** Every tenant that is there. */
  readonly tenantIds: () => Promise<readonly string[]>
  /** From 0 up to 1. */
  readonly random: () => number
  readonly max: number
}

/** Other ones each time: what one look misses a later one finds. */
export async function sampleOf({ tenantIds, random, max }: Sampled): Promise<readonly string[]> {
  return sampled(await tenantIds(), max, random)
}
