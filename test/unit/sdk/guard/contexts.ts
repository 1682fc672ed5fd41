import {
  type TenantContext,
  type TenantLevelContext,
  tenantContextFromClaims,
  tenantLevelContextFromClaims,
} from '../../../../src/sdk/tenant-context.ts'
import { tokenClaims } from '../../../support/tenant-token.ts'

/** Contexts as a verifier makes them: a workspace `prod` and a workspace `staging` of every tenant. */

const digits = (n: number): string => n.toString(16).padStart(10, '0')

export const tenantUid = (n: number): string => `01890000-0000-7000-8000-00${digits(n * 16)}`
export const workspaceUid = (n: number, workspace = 1): string =>
  `01890000-0000-7000-8000-00${digits(n * 16 + workspace)}`

function claimsOf(n: number) {
  const tenant = `tenant-${n}`
  const permissions = ['orders.read']
  return tokenClaims({
    ...{ tid: tenantUid(n), tenant, sub: `tenants/${tenant}/users/alice`, permissions: [] },
    workspaces: [
      { id: workspaceUid(n, 1), slug: 'prod', epoch: 1, permissions },
      { id: workspaceUid(n, 2), slug: 'staging', epoch: 1, permissions },
    ],
  })
}

export function contextOfTenant(n: number, workspace: 'prod' | 'staging' = 'prod'): TenantContext {
  const claims = claimsOf(n)
  const grant = claims.workspaces.find(({ slug }) => slug === workspace)
  if (grant === undefined) throw new Error(`no ${workspace}`)
  return tenantContextFromClaims(claims, grant)
}

export function levelOfTenant(n: number): TenantLevelContext {
  return tenantLevelContextFromClaims(claimsOf(n))
}
