import type { Message } from '@bufbuild/protobuf'
import { ApiKeyService, type CreateApiKeyResponse } from '../../src/gen/tenure/v1/api_key_service_pb.ts'
import { Membership_WorkspaceReach } from '../../src/gen/tenure/v1/membership_pb.ts'
import { MembershipService } from '../../src/gen/tenure/v1/membership_service_pb.ts'
import { RoleService } from '../../src/gen/tenure/v1/role_service_pb.ts'
import { SecretService } from '../../src/gen/tenure/v1/secret_service_pb.ts'
import { ServiceAccountService } from '../../src/gen/tenure/v1/service_account_service_pb.ts'
import { UserService } from '../../src/gen/tenure/v1/user_service_pb.ts'
import type { Chance } from './crash-chance.ts'
import { callOf, type WalkCall } from './walk-client.ts'
import { isOpen, placeIn, type WalkTenant, withoutPerson, withoutThing, withThing } from './walk-model.ts'
import { isLive } from './walk-rules.ts'

/** A change that the model says must be taken, and what it leaves. */
export interface WalkWrite {
  readonly tenant: number
  readonly call: WalkCall
  readonly apply: (tenant: WalkTenant, answer: Message) => WalkTenant
}

/** Undefined: there is nothing of the kind to be done now. */
type Make = (tenant: WalkTenant, chance: Chance, next: () => number) => Omit<WalkWrite, 'tenant'> | undefined

/** Owns the tenant, is never touched, and has every number below it to itself. */
export const keeper = 'serviceAccounts/keeper'
export const workspaceSlugs = ['prod', 'test', 'dev']
const rolePermissions =
  'orders.read orders.write carts.read carts.pay access.check users.get users.list roles.list secrets.get secrets.list secrets.access tokens.issue memberships.list workspaces.get apiKeys.list tenants.get'.split(
    ' ',
  )
const most = { people: 10, roles: 5, memberships: 22, keys: 400, liveKeys: 14, secrets: 8, values: 6 }

const textOf = (tenant: WalkTenant, what: string, number: number) => `${what} ${number} ~t${tenant.number}~`
const mask = (...paths: string[]) => ({ paths })

/** Everybody but who keeps the tenant. */
function others(tenant: WalkTenant): string[] {
  return [...tenant.people.keys()].filter((id) => id !== keeper)
}

function somePermissions(chance: Chance): string[] {
  return rolePermissions.filter(() => chance.isTrue(0.4))
}

const createPerson: Make = (tenant, chance, next) => {
  if (tenant.people.size >= most.people) return undefined
  const number = next()
  const displayName = textOf(tenant, 'Person', number)
  const isUser = chance.isTrue(0.65)
  const slug = `p-${number}`
  const id = isUser ? `users/${slug}` : `serviceAccounts/${slug}`
  const user = { issuer: 'https://idp.example', subject: id, email: `${slug}@t${tenant.number}.walk`, displayName }
  const parent = tenant.name
  const serviceAccount = { displayName }
  return {
    call: isUser
      ? callOf(UserService.method.createUser, { parent, userId: slug, user })
      : callOf(ServiceAccountService.method.createServiceAccount, { parent, serviceAccountId: slug, serviceAccount }),
    apply: (before) => withThing(before, 'people', id, { id, displayName, isActive: true }),
  }
}

const changePerson: Make = (tenant, chance, next) => {
  if (others(tenant).length === 0) return undefined
  const id = chance.pick(others(tenant))
  const person = tenant.people.get(id)
  if (person === undefined) return undefined
  const name = `${tenant.name}/${id}`
  const isUser = id.startsWith('users/')
  const users = UserService.method
  const accounts = ServiceAccountService.method
  const roll = chance.below(10)
  if (roll < 4) {
    const displayName = textOf(tenant, 'Renamed', next())
    const updateMask = mask('display_name')
    return {
      call: isUser
        ? callOf(users.updateUser, { user: { name, displayName }, updateMask })
        : callOf(accounts.updateServiceAccount, { serviceAccount: { name, displayName }, updateMask }),
      apply: (before) => withThing(before, 'people', id, { ...person, displayName }),
    }
  }
  if (roll < 6 && tenant.people.size > 5) {
    const request = { name, force: true }
    return {
      call: isUser ? callOf(users.deleteUser, request) : callOf(accounts.deleteServiceAccount, request),
      apply: (before) => withoutPerson(before, id),
    }
  }
  const method = person.isActive
    ? isUser
      ? users.disableUser
      : accounts.disableServiceAccount
    : isUser
      ? users.enableUser
      : accounts.enableServiceAccount
  return {
    call: callOf(method, { name }),
    apply: (before) => withThing(before, 'people', id, { ...person, isActive: !person.isActive }),
  }
}

const putRole: Make = (tenant, chance, next) => {
  const permissions = somePermissions(chance)
  const number = next()
  const displayName = textOf(tenant, 'Role', number)
  if (tenant.roles.size < most.roles) {
    const slug = `r-${number}`
    const request = { parent: tenant.name, roleId: slug, role: { displayName, permissions } }
    return {
      call: callOf(RoleService.method.createRole, request),
      apply: (before) => withThing(before, 'roles', slug, { slug, displayName, permissions }),
    }
  }
  const slug = chance.pick([...tenant.roles.keys()])
  const name = `${tenant.name}/roles/${slug}`
  const isUsed = [...tenant.memberships.values()].some(({ roles }) => roles.includes(name))
  if (!isUsed && chance.isTrue(0.6)) {
    return {
      call: callOf(RoleService.method.deleteRole, { name }),
      apply: (before) => withoutThing(before, 'roles', slug),
    }
  }
  const role = { name, displayName, permissions }
  return {
    call: callOf(RoleService.method.updateRole, { role, updateMask: mask('display_name', 'permissions') }),
    apply: (before) => withThing(before, 'roles', slug, { slug, displayName, permissions }),
  }
}

function someRoles(tenant: WalkTenant, chance: Chance): string[] {
  const own = [...tenant.roles.keys()].map((slug) => `${tenant.name}/roles/${slug}`)
  const all = [...own, ...own, 'roles/admin', 'roles/member', 'roles/viewer']
  return [...new Set([chance.pick(all), ...(chance.isTrue(0.3) ? [chance.pick(all)] : [])])]
}

const createMembership: Make = (tenant, chance, next) => {
  if (tenant.memberships.size >= most.memberships || others(tenant).length === 0) return undefined
  const workspace = chance.isTrue(0.4) ? '' : activeWorkspace(tenant, chance)
  const person = chance.pick(others(tenant))
  if ([...tenant.memberships.values()].some((each) => each.person === person && each.workspace === workspace))
    return undefined
  const membershipId = `m-${next()}`
  const parent = placeIn(tenant, workspace)
  const roles = someRoles(tenant, chance)
  const reachesAll = workspace === '' && chance.isTrue(0.35)
  const value = `${tenant.name}/${person}`
  const member = person.startsWith('users/')
    ? { case: 'user' as const, value }
    : { case: 'serviceAccount' as const, value }
  const { ALL, NONE } = Membership_WorkspaceReach
  const workspaceReach = reachesAll ? ALL : NONE
  const name = `${parent}/memberships/${membershipId}`
  return {
    call: callOf(MembershipService.method.createMembership, {
      ...{ parent, membershipId },
      membership: { member, roles, ...(workspace === '' ? { workspaceReach } : {}) },
    }),
    apply: (before) => withThing(before, 'memberships', name, { name, workspace, person, roles, reachesAll }),
  }
}

const changeMembership: Make = (tenant, chance) => {
  const open = [...tenant.memberships.values()].filter(
    ({ person, workspace }) => person !== keeper && isOpen(tenant, workspace),
  )
  if (open.length === 0) return undefined
  const membership = chance.pick(open)
  const { name } = membership
  if (chance.isTrue(0.5)) {
    return {
      call: callOf(MembershipService.method.deleteMembership, { name }),
      apply: (before) => withoutThing(before, 'memberships', name),
    }
  }
  const roles = someRoles(tenant, chance)
  return {
    call: callOf(MembershipService.method.updateMembership, { membership: { name, roles }, updateMask: mask('roles') }),
    apply: (before) => withThing(before, 'memberships', name, { ...membership, roles }),
  }
}

function activeWorkspace(tenant: WalkTenant, chance: Chance): string {
  return chance.pick([...tenant.workspaces.values()].filter(({ state }) => state === 'ACTIVE')).slug
}

const createKey: Make = (tenant, chance) => {
  if (tenant.keys.size >= most.keys || others(tenant).length === 0) return undefined
  if ([...tenant.keys.values()].filter((key) => isLive(tenant, key)).length >= most.liveKeys) return undefined
  const person = chance.pick(others(tenant))
  const workspace = chance.isTrue(0.5) ? '' : activeWorkspace(tenant, chance)
  const permissions = chance.isTrue(0.6) ? [] : somePermissions(chance)
  return keyOf(tenant, person, workspace, permissions)
}

/** For whoever it is to be. */
export function keyOf(
  tenant: WalkTenant,
  person: string,
  workspace: string,
  permissions: readonly string[],
): Omit<WalkWrite, 'tenant'> {
  const value = `${tenant.name}/${person}`
  const owner = person.startsWith('users/')
    ? { case: 'user' as const, value }
    : { case: 'serviceAccount' as const, value }
  return {
    call: callOf(ApiKeyService.method.createApiKey, {
      ...{ parent: placeIn(tenant, workspace), apiKey: { owner, permissions: [...permissions] } },
    }),
    apply(before, answer) {
      const { apiKey, secret } = answer as CreateApiKeyResponse
      const name = apiKey?.name ?? ''
      return withThing(before, 'keys', name, { name, secret, workspace, person, permissions, isRevoked: false })
    },
  }
}

const revokeKey: Make = (tenant, chance) => {
  const live = [...tenant.keys.values()].filter(
    ({ isRevoked, person, workspace }) => !isRevoked && person !== keeper && isOpen(tenant, workspace),
  )
  if (live.length <= 4) return undefined
  const key = chance.pick(live)
  return {
    call: callOf(ApiKeyService.method.revokeApiKey, { name: key.name }),
    apply: (before) => withThing(before, 'keys', key.name, { ...key, isRevoked: true }),
  }
}

const createSecret: Make = (tenant, chance, next) => {
  if (tenant.secrets.size >= most.secrets) return undefined
  const workspace = activeWorkspace(tenant, chance)
  const parent = placeIn(tenant, workspace)
  const secretId = `s-${next()}`
  const name = `${parent}/secrets/${secretId}`
  return {
    call: callOf(SecretService.method.createSecret, { parent, secretId }),
    apply: (before) => withThing(before, 'secrets', name, { name, workspace, values: [] }),
  }
}

const changeSecret: Make = (tenant, chance, next) => {
  const open = [...tenant.secrets.values()].filter(({ workspace }) => isOpen(tenant, workspace))
  if (open.length === 0) return undefined
  const secret = chance.pick(open)
  const { name, values } = secret
  if (values.length < most.values) {
    const value = textOf(tenant, 'value', next())
    const request = { parent: name, payload: Buffer.from(value) }
    return {
      call: callOf(SecretService.method.addSecretVersion, request),
      apply: (before) => withThing(before, 'secrets', name, { ...secret, values: [...values, value] }),
    }
  }
  // The last one stays: there is always something to ask for.
  if (tenant.secrets.size < 2) return undefined
  return {
    call: callOf(SecretService.method.deleteSecret, { name }),
    apply: (before) => withoutThing(before, 'secrets', name),
  }
}

export const makers: readonly (readonly [number, Make])[] = [
  [12, createPerson],
  [14, changePerson],
  [10, putRole],
  [20, createMembership],
  [14, changeMembership],
  [8, createKey],
  [5, revokeKey],
  [6, createSecret],
  [12, changeSecret],
]

export type { Make }
