/** What one tenant holds, as a naive reader of its API would write it down. Never changed: every change makes another. */
export interface WalkTenant {
  readonly number: number
  readonly name: string
  readonly uid: string
  readonly displayName: string
  readonly state: 'ACTIVE' | 'SUSPENDED' | 'DELETED'
  readonly workspaces: Things<WalkWorkspace>
  /** By `users/x` or `serviceAccounts/x`. */
  readonly people: Things<WalkPerson>
  readonly roles: Things<WalkRole>
  /** By full name, as keys and secrets are. */
  readonly memberships: Things<WalkMembership>
  readonly keys: Things<WalkKey>
  readonly secrets: Things<WalkSecret>
}

export type Things<Thing> = ReadonlyMap<string, Thing>

export interface WalkWorkspace {
  readonly slug: string
  readonly uid: string
  readonly displayName: string
  readonly state: 'ACTIVE' | 'ARCHIVED' | 'DELETED'
}

export interface WalkPerson {
  readonly id: string
  readonly displayName: string
  readonly isActive: boolean
}

export interface WalkRole {
  readonly slug: string
  readonly displayName: string
  readonly permissions: readonly string[]
}

export interface WalkMembership {
  readonly name: string
  /** Slug; empty: of the tenant. */
  readonly workspace: string
  readonly person: string
  /** Full names of roles and names of templates. */
  readonly roles: readonly string[]
  readonly reachesAll: boolean
}

export interface WalkKey {
  readonly name: string
  readonly secret: string
  readonly workspace: string
  readonly person: string
  /** Empty: all of its owner's. */
  readonly permissions: readonly string[]
  readonly isRevoked: boolean
}

export interface WalkSecret {
  readonly name: string
  readonly workspace: string
  /** In the order of their versions. */
  readonly values: readonly string[]
}

type Shelf = 'workspaces' | 'people' | 'roles' | 'memberships' | 'keys' | 'secrets'

/** The tenant with one thing put in, or in the place of what had its key. */
export function withThing<Of extends Shelf>(
  tenant: WalkTenant,
  shelf: Of,
  key: string,
  thing: WalkTenant[Of] extends Things<infer Thing> ? Thing : never,
): WalkTenant {
  return { ...tenant, [shelf]: new Map([...(tenant[shelf] as Things<unknown>), [key, thing]]) }
}

export function withoutThing(tenant: WalkTenant, shelf: Shelf, key: string): WalkTenant {
  const left = [...(tenant[shelf] as Things<unknown>)].filter(([each]) => each !== key)
  return { ...tenant, [shelf]: new Map(left) }
}

/** The person goes with all it has: memberships leave, keys stay and are dead. */
export function withoutPerson(tenant: WalkTenant, person: string): WalkTenant {
  const memberships = [...tenant.memberships].filter(([, each]) => each.person !== person)
  const keys = [...tenant.keys].map(
    ([name, key]) => [name, key.person === person ? { ...key, isRevoked: true } : key] as const,
  )
  return { ...withoutThing(tenant, 'people', person), memberships: new Map(memberships), keys: new Map(keys) }
}

/** Whether anything can be changed there; the tenant itself is asked for with an empty slug. */
export function isOpen({ workspaces }: WalkTenant, workspace: string): boolean {
  return workspace === '' || workspaces.get(workspace)?.state === 'ACTIVE'
}

/** Whether it is there for those who ask, archived or not. */
export function isThere({ workspaces }: WalkTenant, workspace: string): boolean {
  const state = workspaces.get(workspace)?.state
  return state !== undefined && state !== 'DELETED'
}

export function placeIn(tenant: Pick<WalkTenant, 'name'>, workspace: string): string {
  return workspace === '' ? tenant.name : `${tenant.name}/workspaces/${workspace}`
}
