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
const principals = ['users/ann', 'users/ben', 'users/cleo', 'serviceAccounts/bot']

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
  /** Unset: where the key belongs. */
  readonly parent: PlaceIndex | undefined
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

const makeTokens = ['tokens.issue', 'tokens.impersonate']
const roleCount = 4
const keyCount = 6
const questionCount = 26
const placeOfMember = ({ member: who, place: where }: MembershipPlan) => `${who} ${where}`
const member = fc.nat(principals.length - 1)
const place = fc.nat(workspaces.length)
const somePermissions = fc.subarray([...productPermissions, ...ownPermissions])

const membershipPlan = fc.record({
  member,
  place: fc.oneof(fc.constant(0), place),
  // Templates are roles like others: the last index stands for one. Most have the first, or few could make tokens.
  roles: fc
    .tuple(fc.uniqueArray(fc.nat(roleCount), { minLength: 1, maxLength: 3 }), fc.nat(3))
    .map(([drawn, luck]) => (luck > 0 ? [...new Set([0, ...drawn])] : drawn)),
  reachAll: fc.boolean(),
  expires: fc.integer({ min: 0, max: 3 }).map((drawn) => drawn === 0),
})

const keyPlan = fc.record({
  owner: member,
  place: fc.oneof({ weight: 2, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: place }),
  // A narrowing without them makes no tokens.
  narrowing: fc.oneof(
    fc.constant([]),
    somePermissions.map((drawn) => [...new Set([...drawn, ...makeTokens])]),
  ),
  expires: fc.integer({ min: 0, max: 6 }).map((drawn) => drawn === 0),
})

const question = fc
  .record({
    key: fc.oneof({ weight: 1, arbitrary: fc.constant(undefined) }, { weight: 3, arbitrary: fc.nat(keyCount - 1) }),
    about: fc.oneof(fc.constant(undefined), member),
    parent: fc.oneof({ weight: 3, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: place }),
    workspaces: fc.oneof(
      { weight: 3, arbitrary: fc.constant([]) },
      { weight: 1, arbitrary: fc.uniqueArray(fc.integer({ min: 1, max: workspaces.length }), { maxLength: 2 }) },
    ),
    permissions: fc.oneof({ weight: 2, arbitrary: fc.constant([]) }, { weight: 1, arbitrary: somePermissions }),
  })
  // The root key is nobody in the tenant: it asks about others.
  .map((drawn) => (drawn.key === undefined ? { ...drawn, about: drawn.about ?? 0 } : drawn))

const rarely = <T>(arbitrary: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 2, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary })

/** Holds every role everywhere, and key 0: somebody who may act for most of the others. */
const chief = principals.length - 1
const chiefsMembership = { member: chief, place: 0, roles: [0, 1, 2, 3], reachAll: true, expires: false }
const chiefsKey = { owner: chief, place: 0, narrowing: [], expires: false }

export const worldPlan: fc.Arbitrary<WorldPlan> = fc.record({
  // The first lets its holders have tokens, or nothing would come of most questions.
  roles: fc
    .array(somePermissions, { minLength: roleCount, maxLength: roleCount })
    .map(([first = [], ...rest]) => [[...new Set([...first, ...makeTokens])], ...rest]),
  memberships: fc
    .uniqueArray(membershipPlan, { minLength: 5, maxLength: 11, selector: placeOfMember })
    .map((drawn) => [
      chiefsMembership,
      ...drawn.filter((plan) => placeOfMember(plan) !== placeOfMember(chiefsMembership)),
    ]),
  keys: fc.array(keyPlan, { minLength: keyCount - 1, maxLength: keyCount - 1 }).map((drawn) => [chiefsKey, ...drawn]),
  archived: rarely(fc.integer({ min: 1, max: workspaces.length })),
  disabled: rarely(fc.nat(2)),
  questions: fc.array(question, { minLength: questionCount, maxLength: questionCount }),
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
