import { decodeRevision } from '../../src/base/revision.ts'

const uuid = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g
/** Stands in every text that is stored for a tenant: display names, addresses, values of secrets. */
const marker = /~t(\d)~|@t(\d)\.walk/g
const name = /tenants\/walk-(\d)x/g

/** Knows whose every id is, and finds in an answer what is not of those whom it may speak of. */
export class WalkLeaks {
  readonly #tenantOf = new Map<string, number>()
  #looked = 0

  /** How many ids it knows, and how many words it has looked at. */
  get figures(): { readonly ids: number; readonly words: number } {
    return { ids: this.#tenantOf.size, words: this.#looked }
  }

  /** Whatever id the platform is told in an answer about this tenant is the tenant's. Answers what it is told of another. */
  learn(raw: string, tenant: number): string {
    for (const [id] of raw.matchAll(uuid)) {
      if (!this.#tenantOf.has(id)) this.#tenantOf.set(id, tenant)
    }
    return this.find(raw, new Set([tenant]))
  }

  /** Empty: nothing of anybody else. */
  find(raw: string, allowed: ReadonlySet<number>): string {
    for (const [id] of raw.matchAll(uuid)) {
      this.#looked += 1
      const tenant = this.#tenantOf.get(id)
      if (tenant !== undefined && !allowed.has(tenant)) return `id ${id} of tenant ${tenant}`
    }
    for (const pattern of [marker, name]) {
      for (const found of raw.matchAll(pattern)) {
        this.#looked += 1
        const tenant = Number(found[1] ?? found[2])
        if (!allowed.has(tenant)) return `${found[0]} of tenant ${tenant}`
      }
    }
    return ''
  }

  /** Empty: a revision of none but this tenant. */
  findInRevision(token: string, tenantUid: string): string {
    if (token === '') return ''
    const revision = decodeRevision(token)
    return revision?.tenantId === tenantUid ? '' : `a revision of ${revision?.tenantId}`
  }
}
