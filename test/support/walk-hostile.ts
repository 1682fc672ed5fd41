import { ApiKeyService } from '../../src/gen/tenure/v1/api_key_service_pb.ts'
import { MembershipService } from '../../src/gen/tenure/v1/membership_service_pb.ts'
import { RoleService } from '../../src/gen/tenure/v1/role_service_pb.ts'
import { SecretService } from '../../src/gen/tenure/v1/secret_service_pb.ts'
import { UserService } from '../../src/gen/tenure/v1/user_service_pb.ts'
import { WorkspaceService } from '../../src/gen/tenure/v1/workspace_service_pb.ts'
import type { Chance } from './crash-chance.ts'
import { callOf, type WalkCall } from './walk-client.ts'
import { placeIn, type WalkTenant } from './walk-model.ts'
import type { WalkCaller, WalkPart, WalkQuestion } from './walk-question.ts'
import { admissionOf } from './walk-reads.ts'
import type { WalkDemand } from './walk-rules.ts'
import type { WalkWorld } from './walk-world.ts'

type Attempt = readonly [WalkCall, permission: string]

/** A change of another tenant, or one of the own that would take something of another in: refused, whoever asks. */
export function hostileWrite(world: WalkWorld, chance: Chance, caller: WalkCaller): WalkQuestion {
  const own = world.tenant(caller.tenant ?? 0)
  const other = world.tenant((own.number + 1 + chance.below(world.histories.length - 1)) % world.histories.length)
  const workspace = chance.pick([...other.workspaces.keys()])
  const isInside = chance.isTrue(0.4)
  const target = isInside ? own : other
  const [call, permission] = isInside ? takingIn(chance, own, other, workspace) : reachingOut(chance, other, workspace)
  const isOfWorkspace = !/^(?:users|roles|workspaces)\./.test(permission)
  const demand: WalkDemand = {
    ...{ tenant: target.name, workspace: isOfWorkspace || permission === 'workspaces.update' ? workspace : '' },
    ...{ permission, writes: true, isWorkspaceItself: permission === 'workspaces.update' },
  }
  const part: WalkPart = {
    ...{ ...admissionOf(caller, target, demand), about: target.number, from: 0, isFromMemory: false },
    content: () => '!NOT_FOUND',
  }
  return { caller, call, parts: [part], mayName: new Set([own.number]), read: () => ['it was done'] }
}

function reachingOut(chance: Chance, other: WalkTenant, workspace: string): Attempt {
  const user = [...other.people.keys()].find((id) => id.startsWith('users/')) ?? 'users/nobody'
  const place = placeIn(other, workspace)
  const displayName = 'taken over'
  const secret = other.secrets.values().next().value?.name.split('/').at(-1) ?? 'none'
  const parent = other.name
  const attempts: readonly Attempt[] = [
    [callOf(UserService.method.updateUser, { user: { name: `${parent}/${user}`, displayName } }), 'users.update'],
    [callOf(UserService.method.deleteUser, { name: `${parent}/${user}`, force: true }), 'users.delete'],
    [callOf(RoleService.method.createRole, { parent, roleId: 'taken', role: { displayName } }), 'roles.create'],
    [callOf(WorkspaceService.method.updateWorkspace, { workspace: { name: place, displayName } }), 'workspaces.update'],
    [callOf(SecretService.method.createSecret, { parent: place, secretId: 'taken' }), 'secrets.create'],
    [
      callOf(SecretService.method.addSecretVersion, {
        ...{ parent: `${place}/secrets/${secret}`, payload: Buffer.from('taken over') },
      }),
      'secrets.addVersion',
    ],
  ]
  return chance.pick(attempts)
}

/** Their people, roles and accounts at a place of ours. */
function takingIn(chance: Chance, own: WalkTenant, other: WalkTenant, workspace: string): Attempt {
  const parent = placeIn(own, workspace)
  const theirs = [...other.people.keys()].find((id) => id.startsWith('serviceAccounts/')) ?? ''
  const member = { case: 'serviceAccount' as const, value: `${other.name}/${theirs}` }
  const ours = { case: 'serviceAccount' as const, value: `${own.name}/serviceAccounts/keeper` }
  const role = `${other.name}/roles/${[...other.roles.keys()][0] ?? 'none'}`
  const { createMembership } = MembershipService.method
  const attempts: readonly Attempt[] = [
    [callOf(createMembership, { parent, membership: { member, roles: ['roles/viewer'] } }), 'memberships.create'],
    [callOf(createMembership, { parent, membership: { member: ours, roles: [role] } }), 'memberships.create'],
    [callOf(ApiKeyService.method.createApiKey, { parent, apiKey: { owner: member } }), 'apiKeys.create'],
  ]
  return chance.pick(attempts)
}
