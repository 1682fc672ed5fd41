import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import fc from 'fast-check'
import { ApiKeyService } from '../../src/gen/tenure/v1/api_key_service_pb.ts'
import { Membership_WorkspaceReach } from '../../src/gen/tenure/v1/membership_pb.ts'
import { MembershipService } from '../../src/gen/tenure/v1/membership_service_pb.ts'
import { RoleService } from '../../src/gen/tenure/v1/role_service_pb.ts'
import { ServiceAccountService } from '../../src/gen/tenure/v1/service_account_service_pb.ts'
import { TenantService } from '../../src/gen/tenure/v1/tenant_service_pb.ts'
import { UserService } from '../../src/gen/tenure/v1/user_service_pb.ts'
import { WorkspaceService } from '../../src/gen/tenure/v1/workspace_service_pb.ts'
import type { TestServer } from '../support/test-server.ts'

/** Of products: what tokens carry unasked. */
export const productPermissions = ['orders.read', 'orders.write', 'carts.read', 'carts.pay']
/** Tenure's own: in tokens only by name. */
export const ownPermissions = ['secrets.access', 'workspaces.list', 'tokens.issue', 'tokens.impersonate']
export const workspaces = ['east', 'west', 'north']
export const principals = ['users/ann', 'users/ben', 'users/cleo', 'serviceAccounts/bot']

/** 0: the tenant; 1 and more: a workspace. */
type PlaceIndex = number

interface MembershipPlan {
  readonly member: number
  readonly place: PlaceIndex
  readonly roles: readonly number[]
  readonly reachAll: boolean
  readonly expires: boolean
}

interface KeyPlan {
  readonly owner: number
  readonly place: PlaceIndex
  readonly narrowing: readonly string[]
  readonly expires: boolean
}

export interface TokenQuestion {
  /** Who asks: a key of the world, or the root key. */
  readonly key: number | undefined
  /** About whom; unset: oneself. */
  readonly about: number | undefined
  readonly parent: PlaceIndex
  readonly workspaces: readonly PlaceIndex[]
  readonly permissions: readonly string[]
}

export interface WorldPlan {
  readonly roles: readonly (readonly string[])[]
  readonly memberships: readonly MembershipPlan[]
  readonly keys: readonly KeyPlan[]
  readonly archived: PlaceIndex | undefined
  readonly disabled: number | undefined
  readonly questions: readonly TokenQuestion[]
}

const roleCount = 4
const keyCount = 6
const member = fc.nat(principals.length - 1)
const place = fc.nat(workspaces.length)
const somePermissions = fc.subarray([...productPermissions, ...ownPermissions])

const membershipPlan = fc.record({
  member,
  place,
  // Templates are roles like others: the last index stands for one.
  roles: fc.uniqueArray(fc.nat(roleCount), { minLength: 1, maxLength: 3 }),
  reachAll: fc.boolean(),
  expires: fc.integer({ min: 0, max: 3 }).map((drawn) => drawn === 0),
})

const keyPlan = fc.record({
  owner: member,
  place: fc.oneof({ weight: 2, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: place }),
  // A narrowing without tokens.issue makes no tokens.
  narrowing: fc.oneof(
    fc.constant([]),
    somePermissions.map((drawn) => [...new Set([...drawn, 'tokens.issue'])]),
  ),
  expires: fc.integer({ min: 0, max: 6 }).map((drawn) => drawn === 0),
})

const question = fc.record({
  key: fc.oneof(fc.constant(undefined), fc.nat(keyCount - 1)),
  about: fc.oneof(fc.constant(undefined), member),
  parent: fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: place }),
  workspaces: fc.oneof(
    { weight: 3, arbitrary: fc.constant([]) },
    { weight: 1, arbitrary: fc.uniqueArray(fc.integer({ min: 1, max: workspaces.length }), { maxLength: 2 }) },
  ),
  permissions: fc.oneof({ weight: 2, arbitrary: fc.constant([]) }, { weight: 1, arbitrary: somePermissions }),
})

const rarely = <T>(arbitrary: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 2, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary })

export const worldPlan: fc.Arbitrary<WorldPlan> = fc.record({
  // The first lets its holders have tokens, or nothing would come of most questions.
  roles: fc
    .array(somePermissions, { minLength: roleCount, maxLength: roleCount })
    .map(([first = [], ...rest]) => [[...new Set([...first, 'tokens.issue'])], ...rest]),
  memberships: fc.uniqueArray(membershipPlan, {
    minLength: 5,
    maxLength: 10,
    selector: (plan) => `${plan.member} ${plan.place}`,
  }),
  keys: fc.array(keyPlan, { minLength: keyCount, maxLength: keyCount }),
  archived: rarely(fc.integer({ min: 1, max: workspaces.length })),
  disabled: rarely(fc.nat(2)),
  questions: fc.array(question, { minLength: 20, maxLength: 20 }),
})

export interface World {
  readonly tenant: string
  /** Secrets of the keys, in the order of the plan. */
  readonly keys: readonly string[]
  placeName(index: PlaceIndex): string
  principalName(index: number): string
}

/** Makes the tenant of the plan by the API. What is to expire does at `expireMs`. */
export async function buildWorld(server: TestServer, id: string, plan: WorldPlan, expireMs: number): Promise<World> {
  const tenant = `tenants/${id}`
  const placeName = (index: PlaceIndex) => (index === 0 ? tenant : `${tenant}/workspaces/${workspaces[index - 1]}`)
  const principalName = (index: number) => `${tenant}/${principals[index]}`
  const end = (expires: boolean) => (expires ? { expireTime: timestampFromMs(expireMs) } : {})
  await server.client(TenantService).createTenant({ tenantId: id })
  for (const workspaceId of workspaces) {
    await server.client(WorkspaceService).createWorkspace({ parent: tenant, workspaceId })
  }
  for (const name of principals) {
    const [kind, slug = ''] = name.split('/')
    if (kind === 'users') {
      const user = { issuer: 'https://idp.example', subject: slug }
      await server.client(UserService).createUser({ parent: tenant, userId: slug, user })
    } else await server.client(ServiceAccountService).createServiceAccount({ parent: tenant, serviceAccountId: slug })
  }
  const roleNames = plan.roles.map((_, at) => `${tenant}/roles/role-${at}`)
  for (const [at, permissions] of plan.roles.entries()) {
    const role = { permissions: [...permissions] }
    await server.client(RoleService).createRole({ parent: tenant, roleId: `role-${at}`, role })
  }
  for (const [at, { member: who, place: where, roles, reachAll, expires }] of plan.memberships.entries()) {
    const reach = reachAll && where === 0 ? Membership_WorkspaceReach.ALL : Membership_WorkspaceReach.NONE
    await server.client(MembershipService).createMembership({
      ...{ parent: placeName(where), membershipId: `member-${at}` },
      membership: {
        member: memberOf(principalName(who)),
        roles: roles.map((role) => roleNames[role] ?? 'roles/member'),
        ...(where === 0 ? { workspaceReach: reach } : {}),
        ...end(expires),
      },
    })
  }
  const keys: string[] = []
  for (const { owner, place: where, narrowing, expires } of plan.keys) {
    const apiKey = { owner: memberOf(principalName(owner)), permissions: [...narrowing], ...end(expires) }
    keys.push((await server.client(ApiKeyService).createApiKey({ parent: placeName(where), apiKey })).secret)
  }
  if (plan.archived !== undefined) {
    await server.client(WorkspaceService).archiveWorkspace({ name: placeName(plan.archived) })
  }
  if (plan.disabled !== undefined) {
    await server.client(UserService).disableUser({ name: principalName(plan.disabled) })
  }
  return { tenant, keys, placeName, principalName }
}

export function memberOf(name: string) {
  return { case: name.includes('/users/') ? ('user' as const) : ('serviceAccount' as const), value: name }
}
