import type { Message } from '@bufbuild/protobuf'
import { type ApiKey, ApiKey_State } from '../../src/gen/tenure/v1/api_key_pb.ts'
import { ApiKeyService } from '../../src/gen/tenure/v1/api_key_service_pb.ts'
import { type Membership, Membership_WorkspaceReach } from '../../src/gen/tenure/v1/membership_pb.ts'
import { MembershipService } from '../../src/gen/tenure/v1/membership_service_pb.ts'
import type { Role } from '../../src/gen/tenure/v1/role_pb.ts'
import { RoleService } from '../../src/gen/tenure/v1/role_service_pb.ts'
import type { Secret } from '../../src/gen/tenure/v1/secret_pb.ts'
import { SecretService } from '../../src/gen/tenure/v1/secret_service_pb.ts'
import { type ServiceAccount, ServiceAccount_State } from '../../src/gen/tenure/v1/service_account_pb.ts'
import { ServiceAccountService } from '../../src/gen/tenure/v1/service_account_service_pb.ts'
import { type User, User_State } from '../../src/gen/tenure/v1/user_pb.ts'
import { UserService } from '../../src/gen/tenure/v1/user_service_pb.ts'
import { type Workspace, Workspace_State } from '../../src/gen/tenure/v1/workspace_pb.ts'
import { WorkspaceService } from '../../src/gen/tenure/v1/workspace_service_pb.ts'
import { callOf, type WalkCall } from './walk-client.ts'
import { isThere, placeIn, type WalkTenant } from './walk-model.ts'

/** A collection, as it is read: one thing by its name, or all at a place. Each thing is one line of words. */
export interface WalkKind {
  /** First half of its permissions. */
  readonly noun: string
  /** Where its lists are asked for. */
  readonly at: readonly ('tenant' | 'workspace')[]
  get(name: string, atLeastRevision: string): WalkCall
  list(parent: string, atLeastRevision: string): WalkCall
  /** From either answer. */
  read(answer: Message): readonly string[]
  /** What the model says stands there: lines by full name. */
  standing(tenant: WalkTenant, workspace: string): ReadonlyMap<string, string>
  /** Of what stands there, what no list shows. */
  readonly unlisted?: (tenant: WalkTenant) => ReadonlySet<string>
}

export function listed({ standing, unlisted }: WalkKind, tenant: WalkTenant, workspace: string): string[] {
  const hidden = unlisted?.(tenant)
  return [...standing(tenant, workspace)].filter(([name]) => hidden?.has(name) !== true).map(([, each]) => each)
}

/** All that a walk ever makes of one kind at one place. */
const pageSize = 1000

/** The name of a value of an enum. */
export function wordOf(values: Readonly<Record<string, number>>, value: number): string {
  return Object.keys(values).find((name) => values[name] === value) ?? String(value)
}

function line(...words: readonly (string | number | boolean)[]): string {
  return words.join(' | ')
}

function lines<Thing>(things: Iterable<Thing>, nameOf: (thing: Thing) => string, lineOf: (thing: Thing) => string) {
  return new Map([...things].map((thing) => [nameOf(thing), lineOf(thing)] as const))
}

/** The one thing of a Get, or the many of a List. */
function thingsIn<Thing>(answer: Message, one: string, many: string): readonly Thing[] {
  const fields = answer as unknown as Readonly<Record<string, unknown>>
  const listed = fields[many] as readonly Thing[] | undefined
  return listed ?? [fields[one] as Thing]
}

const workspaces: WalkKind = {
  noun: 'workspaces',
  at: ['tenant'],
  get: (name, atLeastRevision) => callOf(WorkspaceService.method.getWorkspace, { name, atLeastRevision }),
  list: (parent, atLeastRevision) =>
    callOf(WorkspaceService.method.listWorkspaces, { parent, atLeastRevision, pageSize }),
  read: (answer) =>
    thingsIn<Workspace>(answer, 'workspace', 'workspaces').map(({ name, uid, displayName, state }) =>
      line(name, uid, displayName, wordOf(Workspace_State, state)),
    ),
  standing: (tenant) =>
    lines(
      tenant.workspaces.values(),
      ({ slug }) => placeIn(tenant, slug),
      ({ slug, uid, displayName, state }) => line(placeIn(tenant, slug), uid, displayName, state),
    ),
  unlisted: (tenant) =>
    new Set(
      [...tenant.workspaces.keys()].filter((slug) => !isThere(tenant, slug)).map((slug) => placeIn(tenant, slug)),
    ),
}

function people(tenant: WalkTenant, collection: string): ReadonlyMap<string, string> {
  const found = [...tenant.people.values()].filter(({ id }) => id.startsWith(`${collection}/`))
  return lines(
    found,
    ({ id }) => `${tenant.name}/${id}`,
    ({ id, displayName, isActive }) => line(`${tenant.name}/${id}`, displayName, isActive ? 'ACTIVE' : 'DISABLED'),
  )
}

const users: WalkKind = {
  noun: 'users',
  at: ['tenant'],
  get: (name, atLeastRevision) => callOf(UserService.method.getUser, { name, atLeastRevision }),
  list: (parent, atLeastRevision) => callOf(UserService.method.listUsers, { parent, atLeastRevision, pageSize }),
  read: (answer) =>
    thingsIn<User>(answer, 'user', 'users').map(({ name, displayName, state }) =>
      line(name, displayName, wordOf(User_State, state)),
    ),
  standing: (tenant) => people(tenant, 'users'),
}

const serviceAccounts: WalkKind = {
  noun: 'serviceAccounts',
  at: ['tenant'],
  get: (name, atLeastRevision) => callOf(ServiceAccountService.method.getServiceAccount, { name, atLeastRevision }),
  list: (parent, atLeastRevision) =>
    callOf(ServiceAccountService.method.listServiceAccounts, { parent, atLeastRevision, pageSize }),
  read: (answer) =>
    thingsIn<ServiceAccount>(answer, 'serviceAccount', 'serviceAccounts').map(({ name, displayName, state }) =>
      line(name, displayName, wordOf(ServiceAccount_State, state)),
    ),
  standing: (tenant) => people(tenant, 'serviceAccounts'),
}

const roles: WalkKind = {
  noun: 'roles',
  at: ['tenant'],
  get: (name, atLeastRevision) => callOf(RoleService.method.getRole, { name, atLeastRevision }),
  list: (parent, atLeastRevision) => callOf(RoleService.method.listRoles, { parent, atLeastRevision, pageSize }),
  read: (answer) =>
    thingsIn<Role>(answer, 'role', 'roles')
      // Templates are everybody's.
      .filter(({ system }) => !system)
      .map(({ name, displayName, permissions }) => line(name, displayName, ...[...permissions].sort())),
  standing: (tenant) =>
    lines(
      tenant.roles.values(),
      ({ slug }) => `${tenant.name}/roles/${slug}`,
      ({ slug, displayName, permissions }) =>
        line(`${tenant.name}/roles/${slug}`, displayName, ...[...permissions].sort()),
    ),
}

const memberships: WalkKind = {
  noun: 'memberships',
  at: ['tenant', 'workspace'],
  get: (name, atLeastRevision) => callOf(MembershipService.method.getMembership, { name, atLeastRevision }),
  list: (parent, atLeastRevision) =>
    callOf(MembershipService.method.listMemberships, { parent, atLeastRevision, pageSize }),
  read: (answer) =>
    thingsIn<Membership>(answer, 'membership', 'memberships').map(({ name, member, roles: given, workspaceReach }) =>
      line(name, member.value ?? '', ...[...given].sort(), workspaceReach === Membership_WorkspaceReach.ALL),
    ),
  standing: (tenant, workspace) =>
    lines(
      [...tenant.memberships.values()].filter((each) => each.workspace === workspace),
      ({ name }) => name,
      ({ name, person, roles: given, reachesAll }) =>
        line(name, `${tenant.name}/${person}`, ...[...given].sort(), reachesAll),
    ),
}

const apiKeys: WalkKind = {
  noun: 'apiKeys',
  at: ['tenant', 'workspace'],
  get: (name, atLeastRevision) => callOf(ApiKeyService.method.getApiKey, { name, atLeastRevision }),
  list: (parent, atLeastRevision) => callOf(ApiKeyService.method.listApiKeys, { parent, atLeastRevision, pageSize }),
  read: (answer) =>
    thingsIn<ApiKey>(answer, 'apiKey', 'apiKeys').map(({ name, owner, permissions, state }) =>
      line(name, owner.value ?? '', ...[...permissions].sort(), wordOf(ApiKey_State, state)),
    ),
  standing: (tenant, workspace) =>
    lines(
      [...tenant.keys.values()].filter((each) => each.workspace === workspace),
      ({ name }) => name,
      ({ name, person, permissions, isRevoked }) =>
        line(
          name,
          tenant.people.has(person) ? `${tenant.name}/${person}` : '',
          ...[...permissions].sort(),
          isRevoked ? 'REVOKED' : 'ACTIVE',
        ),
    ),
}

const secrets: WalkKind = {
  noun: 'secrets',
  at: ['workspace'],
  get: (name, atLeastRevision) => callOf(SecretService.method.getSecret, { name, atLeastRevision }),
  list: (parent, atLeastRevision) => callOf(SecretService.method.listSecrets, { parent, atLeastRevision, pageSize }),
  read: (answer) =>
    thingsIn<Secret>(answer, 'secret', 'secrets').map(({ name, latestVersion }) => line(name, Number(latestVersion))),
  standing: (tenant, workspace) =>
    lines(
      [...tenant.secrets.values()].filter((each) => each.workspace === workspace),
      ({ name }) => name,
      ({ name, values }) => line(name, values.length),
    ),
}

export const walkKinds: readonly WalkKind[] = [workspaces, users, serviceAccounts, roles, memberships, apiKeys, secrets]
