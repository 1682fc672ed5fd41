import type { TenantFields } from '../../tenants/tenant.ts'
import type { Probe } from './probe.ts'

type Placed = Pick<TenantFields, 'tenantId' | 'slug' | 'cellId' | 'region' | 'state' | 'version'> & {
  readonly placementEpoch: number
}

export interface Placements {
  readonly inDirectory: () => Promise<readonly Placed[]>
  readonly inCell: () => Promise<readonly Placed[]>
}

const compared = ['slug', 'cellId', 'region', 'placementEpoch'] as const
const settleMs = 500

/** Whether directory and cell say the same of every tenant: name, place and epoch. */
export function placementProbe({ inDirectory, inCell }: Placements): Probe {
  const differing = async (): Promise<Map<string, string>> => {
    // The directory first: who is created meanwhile is in the cell later.
    const placed = await inDirectory()
    const heads = new Map((await inCell()).map((head) => [head.tenantId, head]))
    const found = new Map<string, string>()
    for (const each of placed) {
      const head = heads.get(each.tenantId)
      if (head === undefined && each.state === 'PROVISIONING') continue
      const difference = head === undefined ? 'cell' : compared.find((field) => head[field] !== each[field])
      if (difference !== undefined) found.set(each.tenantId, difference)
      heads.delete(each.tenantId)
    }
    for (const tenantId of heads.keys()) found.set(tenantId, 'directory')
    return found
  }
  return {
    name: 'placement',
    async look({ checked, found }) {
      checked((await inDirectory()).length)
      const first = await differing()
      if (first.size === 0) return
      // Two databases are not read in one moment: what differs still, after a while, does.
      await new Promise((resolve) => setTimeout(resolve, settleMs))
      for (const [tenantUid, difference] of await differing()) {
        if (!first.has(tenantUid)) continue
        const missing = difference === 'cell' || difference === 'directory'
        const description = missing
          ? `The tenant is not in the ${difference}.`
          : `Directory and cell do not agree on its ${difference}.`
        found({ kind: 'placement-differs', tenantUid, subject: difference, description })
      }
    },
  }
}
