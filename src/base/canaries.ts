/** Tenants of the server's own, with which it tries whether one reaches another. */
export const canarySlugs = ['tenure-canary-a', 'tenure-canary-b'] as const
/** The account of the platform that alone makes them, and changes anything in them. */
export const canaryAccount = 'isolation-canary'

export const canaryAccountRefusal =
  "This service account is the server's own, for its look at isolation. Nobody else has keys of it, or changes it."

const slugs: ReadonlySet<string> = new Set(canarySlugs)

export function isCanary(tenantSlug: string): boolean {
  return slugs.has(tenantSlug)
}

/** Whether whoever goes by that name is the account that looks after them. */
export function keepsCanaries(principal: string): boolean {
  return principal === `serviceAccounts/${canaryAccount}`
}
