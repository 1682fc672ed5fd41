import { notFound } from '../base/errors.ts'
import type { ReadScope } from '../tenancy/tenant-unit.ts'
import type { PrincipalKind } from './membership.ts'
import { serviceAccountRows } from './service-account-store.ts'
import { userRows } from './user-store.ts'

export interface NamedPrincipal {
  readonly principalKind: PrincipalKind
  readonly principalId: string
  readonly active: boolean
}

/** The principal of the scope's tenant with that resource name. Another tenant's is NOT_FOUND like one that never was. */
export async function principalNamed(scope: ReadScope, kind: PrincipalKind, name: string): Promise<NamedPrincipal> {
  const prefix = `tenants/${scope.context.tenantSlug}/${kind === 'user' ? 'users' : 'serviceAccounts'}/`
  if (!name.startsWith(prefix)) throw notFound()
  const slug = name.slice(prefix.length)
  if (kind === 'user') {
    const user = await userRows(scope).findGenuine({ slug })
    if (user === undefined) throw notFound()
    return { principalKind: kind, principalId: user.userId, active: user.state === 'ACTIVE' }
  }
  const account = await serviceAccountRows(scope).findGenuine({ slug })
  if (account === undefined) throw notFound()
  return { principalKind: kind, principalId: account.serviceAccountId, active: account.state === 'ACTIVE' }
}

/** The other way round: the resource name behind a stored id; empty when the principal is gone. */
export async function principalName(scope: ReadScope, kind: PrincipalKind, id: string): Promise<string> {
  const tenant = `tenants/${scope.context.tenantSlug}`
  if (kind === 'user') {
    const user = await userRows(scope).find({ userId: id })
    return user === undefined ? '' : `${tenant}/users/${user.slug}`
  }
  const account = await serviceAccountRows(scope).find({ serviceAccountId: id })
  return account === undefined ? '' : `${tenant}/serviceAccounts/${account.slug}`
}
