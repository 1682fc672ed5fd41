import { ownPermissions } from '../../src/access/own-permissions.ts'
import { isThere, type WalkKey, type WalkPerson, type WalkTenant } from './walk-model.ts'

/** Of a product, added to the catalogue for the walk. */
export const productPermissions = ['orders.read', 'orders.write', 'carts.read', 'carts.pay']
const productReads: ReadonlySet<string> = new Set(productPermissions.filter((name) => name.endsWith('.read')))

const grantable = ownPermissions.filter(({ platformOnly }) => !platformOnly)
const ownReads: ReadonlySet<string> = new Set(
  grantable.filter(({ effect }) => effect === 'READ').map(({ name }) => name),
)
/** What viewers and members do not have, though it only looks. */
const sensitive: ReadonlySet<string> = new Set(
  'access.check apiKeys.get apiKeys.list audit.list audit.verify secrets.access'.split(' '),
)
const every = [...grantable.map(({ name }) => name), ...productPermissions]
const seeing = [...ownReads, ...productReads].filter((name) => !sensitive.has(name))
const templates: Readonly<Record<string, ReadonlySet<string>>> = {
  'roles/owner': new Set(every),
  'roles/admin': new Set(every.filter((name) => name !== 'tenants.delete')),
  'roles/member': new Set([...seeing, ...productPermissions]),
  'roles/viewer': new Set(seeing),
}

/** Nothing compiled, cached or followed: every membership is looked at. Undefined: no place there at all. */
export function powerOf(tenant: WalkTenant, person: string, workspace: string): ReadonlySet<string> | undefined {
  const here = [...tenant.memberships.values()].filter(
    (each) =>
      each.person === person &&
      (each.workspace === workspace || (workspace !== '' && each.workspace === '' && each.reachesAll)),
  )
  if (here.length === 0) return undefined
  const held = here.flatMap(({ roles }) => roles).flatMap((role) => [...permissionsOf(tenant, role)])
  return new Set(held)
}

function permissionsOf(tenant: WalkTenant, role: string): Iterable<string> {
  return templates[role] ?? tenant.roles.get(role.slice(`${tenant.name}/roles/`.length))?.permissions ?? []
}

/** Somebody a question can be about. */
export interface WalkSubject {
  readonly person: WalkPerson | undefined
  /** Whose power is narrower than its owner's. */
  readonly key: WalkKey | undefined
}

/** A decision reason, by its short name. */
export function verdictOn(
  tenant: WalkTenant,
  { person, key }: WalkSubject,
  workspace: string,
  permission: string,
): string {
  if (key?.isRevoked === true) return 'CREDENTIAL_REVOKED'
  if (person?.isActive !== true) return 'NO_ACCESS'
  const place = tenant.workspaces.get(workspace)
  if (workspace !== '' && !isThere(tenant, workspace)) return 'NO_ACCESS'
  if (key !== undefined && key.workspace !== '' && key.workspace !== workspace) return 'NO_ACCESS'
  if (tenant.state === 'DELETED') return 'NO_ACCESS'
  const power = powerOf(tenant, person.id, workspace)
  if (power === undefined) return 'NO_ACCESS'
  if (tenant.state === 'SUSPENDED') return 'TENANT_SUSPENDED'
  if (place?.state === 'ARCHIVED') return 'WORKSPACE_ARCHIVED'
  if (permission === '') return 'GRANTED'
  if (!every.includes(permission)) return 'PERMISSION_UNKNOWN'
  const isNarrowed = key !== undefined && key.permissions.length > 0 && !key.permissions.includes(permission)
  return power.has(permission) && !isNarrowed ? 'GRANTED' : 'PERMISSION_MISSING'
}

export function subjectOfKey(tenant: WalkTenant, key: WalkKey): WalkSubject {
  return { person: tenant.people.get(key.person), key }
}

/** What the caller of an RPC wants to do where. */
export interface WalkDemand {
  /** Name of the tenant that the request names. */
  readonly tenant: string
  readonly workspace: string
  readonly permission: string
  /** Changes something, or gives a secret away. */
  readonly writes: boolean
  /** The request names the workspace for its own sake. */
  readonly isWorkspaceItself?: boolean
}

/** Empty: admitted. Else the reason of the refusal, as the state of the key's own tenant has it. */
export function refusalOf(tenant: WalkTenant, keyName: string, demand: WalkDemand): string {
  const key = tenant.keys.get(keyName)
  if (key === undefined || !isLive(tenant, key)) return 'CREDENTIAL_INVALID'
  if (demand.tenant !== tenant.name) return 'NOT_FOUND'
  const subject = subjectOfKey(tenant, key)
  const { workspace, permission, writes, isWorkspaceItself = false } = demand
  const verdict = verdictOn(tenant, subject, workspace, permission)
  if (verdict === 'GRANTED') return ''
  if (isWorkspaceItself) {
    const above = verdictOn(tenant, subject, '', permission)
    if (above === 'GRANTED') return tenant.workspaces.has(workspace) ? '' : 'NOT_FOUND'
    if (above === 'TENANT_SUSPENDED') return 'TENANT_SUSPENDED'
  }
  if (verdict === 'TENANT_SUSPENDED') return 'TENANT_SUSPENDED'
  if (verdict === 'PERMISSION_MISSING' || verdict === 'PERMISSION_UNKNOWN') return 'PERMISSION_MISSING'
  if (verdict !== 'WORKSPACE_ARCHIVED') return 'NOT_FOUND'
  if (writes && !isWorkspaceItself) return 'WORKSPACE_ARCHIVED'
  const power = powerOf(tenant, key.person, workspace)
  const isNarrowed = key.permissions.length > 0 && !key.permissions.includes(permission)
  return power?.has(permission) === true && !isNarrowed ? '' : 'PERMISSION_MISSING'
}

/** A dead credential is refused before anything is asked with it. */
export function isLive(tenant: WalkTenant, key: WalkKey): boolean {
  const hasPlace = key.workspace === '' || isThere(tenant, key.workspace)
  return tenant.state !== 'DELETED' && hasPlace && !key.isRevoked && tenant.people.get(key.person)?.isActive === true
}
