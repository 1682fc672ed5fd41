import type { GuardBinding } from '../sql-guard/guard-types.ts'

/** Two tenants that there never are: what the guard is tried with asks for nobody's rows, even where it lets it pass. */
export const probeTenantId = '00000000-0000-7000-8000-0000000000d1'
export const otherProbeTenantId = '00000000-0000-7000-8000-0000000000d2'

/** A refusal of a statement that was made to be refused is no incident. */
export function isProbe(binding: GuardBinding | undefined): boolean {
  return binding?.kind === 'tenant' && binding.tenantId === probeTenantId
}
