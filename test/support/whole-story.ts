import { after, lists, type Named, type StoryStep, since, step } from './story-step.ts'
import { operationsStory } from './whole-story-operations.ts'

const acme = 'tenants/acme'
const prod = `${acme}/workspaces/prod`
const stage = `${acme}/workspaces/stage`
const secret = `${prod}/secrets/database`
const user = (id: string) => ({ issuer: 'https://idp.example', subject: id, email: `${id}@acme.example` })

const platform: StoryStep[] = [
  step('DiagnosticsService/GetServerInfo'),
  step('AccessService/GetCaller'),
  step('SigningKeyService/GetJwks'),
  step('SigningKeyService/ListSigningKeys', { orderBy: 'create_time desc' }),
  step('RoleService/CreatePermission', { permissionId: 'orders.read', permission: { effect: 'EFFECT_READ' } }),
  step('RoleService/CreatePermission', { permissionId: 'orders.write' }),
  step('RoleService/CreatePermission', { permissionId: 'orders.gone' }),
  step('RoleService/GetPermission', { name: 'permissions/orders.read' }),
  ...lists('RoleService/ListPermissions', {}, `service = "orders" AND ${since}`, 'create_time desc'),
  step('RoleService/DeletePermission', { name: 'permissions/orders.gone', force: true }),
  step('ServiceAccountService/CreateServiceAccount', { serviceAccountId: 'operator' }),
  step('ServiceAccountService/GetServiceAccount', { name: 'serviceAccounts/operator' }),
  step('ServiceAccountService/ListServiceAccounts', { filter: 'state = ACTIVE' }),
  step('ServiceAccountService/UpdateServiceAccount', {
    serviceAccount: { name: 'serviceAccounts/operator', displayName: 'Operator', roles: ['roles/platform.admin'] },
  }),
  step('ApiKeyService/CreateApiKey', { apiKey: { serviceAccount: 'serviceAccounts/operator' } }),
  after('ApiKeyService/CreateApiKey', 'ApiKeyService/GetApiKey', { name: '{name}' }),
  after('ApiKeyService/CreateApiKey', 'ApiKeyService/ListApiKeys', {}),
  after('ApiKeyService/CreateApiKey', 'ApiKeyService/RevokeApiKey', { name: '{name}' }),
  step('ServiceAccountService/DisableServiceAccount', { name: 'serviceAccounts/operator' }),
  step('ServiceAccountService/EnableServiceAccount', { name: 'serviceAccounts/operator' }),
  // What goes takes its keys along.
  step('ApiKeyService/CreateApiKey', { apiKey: { serviceAccount: 'serviceAccounts/operator' } }),
  step('ServiceAccountService/DeleteServiceAccount', { name: 'serviceAccounts/operator', force: true }),
]

const tenants: StoryStep[] = [
  step('TenantService/CreateTenant', { tenantId: 'acme', requestId: 'once' }),
  step('TenantService/CreateTenant', { tenantId: 'acme', requestId: 'once' }),
  step('TenantService/CreateTenant', {
    tenantId: 'globex',
    initialOwner: { issuer: 'https://idp.example', subject: 'first' },
  }),
  step('TenantService/GetTenant', { name: acme }),
  step('TenantService/BatchGetTenants', { names: [acme, 'tenants/globex'] }),
  ...lists('TenantService/ListTenants', {}, `state = ACTIVE AND (display_name = "A*" OR ${since})`, 'create_time desc'),
  step('TenantService/ListTenants', { showDeleted: true }),
  step('TenantService/UpdateTenant', { tenant: { name: acme, displayName: 'Acme' }, requestId: 'once' }),
  step('TenantService/UpdateTenant', { tenant: { name: acme, displayName: 'Acme' }, requestId: 'once' }),
  step('TenantService/SuspendTenant', { name: acme, mode: 'SUSPENSION_MODE_FULL', reason: 'unpaid' }),
  step('TenantService/ResumeTenant', { name: acme }),
  step('TenantService/DeleteTenant', { name: 'tenants/globex', force: true }),
  step('TenantService/UndeleteTenant', { name: 'tenants/globex' }),
]

const workspaces: StoryStep[] = [
  ...['prod', 'stage', 'gone'].map((workspaceId) =>
    step('WorkspaceService/CreateWorkspace', { parent: acme, workspaceId }),
  ),
  step('WorkspaceService/GetWorkspace', { name: prod }),
  ...lists(
    'WorkspaceService/ListWorkspaces',
    { parent: acme },
    `state = ACTIVE AND NOT display_name = "x" AND ${since}`,
    'display_name desc',
  ),
  step('WorkspaceService/ListWorkspaces', { parent: acme, showDeleted: true }),
  step('WorkspaceService/UpdateWorkspace', { workspace: { name: prod, displayName: 'Production' } }),
  step('WorkspaceService/ArchiveWorkspace', { name: stage }),
  step('WorkspaceService/UnarchiveWorkspace', { name: stage }),
  step('WorkspaceService/DeleteWorkspace', { name: `${acme}/workspaces/gone`, force: true }),
  step('WorkspaceService/UndeleteWorkspace', { name: `${acme}/workspaces/gone` }),
]

const people: StoryStep[] = [
  ...['alice', 'bob', 'carol'].map((userId) =>
    step('UserService/CreateUser', { parent: acme, userId, user: user(userId) }),
  ),
  step('UserService/GetUser', { name: `${acme}/users/alice` }),
  ...lists(
    'UserService/ListUsers',
    { parent: acme },
    `state = ACTIVE AND issuer = "https://idp.example" AND subject != "x" AND email = "a*" AND ${since}`,
    'email desc',
  ),
  step('UserService/UpdateUser', { user: { name: `${acme}/users/alice`, displayName: 'Alice' } }),
  step('UserService/DisableUser', { name: `${acme}/users/bob` }),
  step('UserService/EnableUser', { name: `${acme}/users/bob` }),
  ...['builder', 'robot'].map((serviceAccountId) =>
    step('ServiceAccountService/CreateServiceAccount', { parent: acme, serviceAccountId }),
  ),
  step('ServiceAccountService/GetServiceAccount', { name: `${acme}/serviceAccounts/builder` }),
  ...lists(
    'ServiceAccountService/ListServiceAccounts',
    { parent: acme },
    `state = ACTIVE AND ${since}`,
    'display_name, create_time',
  ),
  step('ServiceAccountService/UpdateServiceAccount', {
    serviceAccount: { name: `${acme}/serviceAccounts/builder`, displayName: 'CI' },
  }),
  step('ServiceAccountService/DisableServiceAccount', { name: `${acme}/serviceAccounts/builder` }),
  step('ServiceAccountService/EnableServiceAccount', { name: `${acme}/serviceAccounts/builder` }),
]

const access: StoryStep[] = [
  ...['reader', 'writer'].map((roleId) =>
    step('RoleService/CreateRole', { parent: acme, roleId, role: { permissions: ['orders.read'] } }),
  ),
  step('RoleService/GetRole', { name: `${acme}/roles/reader` }),
  ...lists('RoleService/ListRoles', { parent: acme }, since, 'display_name'),
  step('RoleService/UpdateRole', {
    role: { name: `${acme}/roles/reader`, permissions: ['orders.read', 'orders.write'] },
  }),
  ...['user', 'serviceAccount'].map((kind) =>
    step('MembershipService/CreateMembership', {
      parent: kind === 'user' ? prod : acme,
      membershipId: `of-${kind.toLowerCase()}`,
      membership: {
        [kind]: `${acme}/${kind}s/${kind === 'user' ? 'alice' : 'builder'}`,
        roles: [kind === 'user' ? `${acme}/roles/reader` : 'roles/owner'],
        ...(kind === 'user' ? {} : { workspaceReach: 'WORKSPACE_REACH_ALL' }),
      },
    }),
  ),
  step('MembershipService/BatchCreateMemberships', {
    parent: stage,
    requests: ['alice', 'bob', 'carol'].map((id) => ({
      membershipId: id,
      membership: { user: `${acme}/users/${id}`, roles: [`${acme}/roles/reader`] },
    })),
  }),
  step('MembershipService/GetMembership', { name: `${prod}/memberships/of-user` }),
  ...lists(
    'MembershipService/ListMemberships',
    { parent: stage },
    `(user = "${acme}/users/alice" OR service_account = "${acme}/serviceAccounts/builder") AND ${since}`,
    'create_time desc',
  ),
  step('MembershipService/UpdateMembership', {
    membership: { name: `${prod}/memberships/of-user`, roles: ['roles/viewer'] },
  }),
  step('AccessService/Authorize', {
    parent: prod,
    principal: { user: `${acme}/users/alice` },
    permission: 'orders.read',
  }),
  step('AccessService/BatchAuthorize', {
    items: [prod, stage].map((parent) => ({ request: { parent, principal: { user: `${acme}/users/alice` } } })),
  }),
  step('TokenService/IssueToken', {
    parent: acme,
    principal: { user: `${acme}/users/alice` },
    audience: ['orders'],
  }),
]

const credentials: StoryStep[] = [
  ...[acme, acme, prod].flatMap((parent, at) => [
    step('ApiKeyService/CreateApiKey', {
      parent,
      apiKey: { serviceAccount: `${acme}/serviceAccounts/builder` },
      requestId: `once-${at}`,
    }),
    after('ApiKeyService/CreateApiKey', 'ApiKeyService/GetApiKey', { name: '{name}' }),
    after('ApiKeyService/CreateApiKey', 'AccessService/Authorize', { apiKey: '{secret}', permission: 'orders.read' }),
    after('ApiKeyService/CreateApiKey', 'ApiKeyService/RevokeApiKey', { name: '{name}' }),
  ]),
  ...lists(
    'ApiKeyService/ListApiKeys',
    { parent: acme },
    `state = REVOKED AND service_account = "${acme}/serviceAccounts/builder" AND ${since}`,
    'create_time desc',
  ),
]

const payload = Buffer.from('value').toString('base64')
const secrets: StoryStep[] = [
  step('SecretService/CreateSecret', { parent: prod, secretId: 'database' }),
  step('SecretService/CreateSecret', { parent: prod, secretId: 'other' }),
  step('SecretService/GetSecret', { name: secret }),
  ...lists('SecretService/ListSecrets', { parent: prod }, since, 'create_time desc'),
  step('SecretService/UpdateSecret', { secret: { name: secret, labels: { team: 'a' } } }),
  step('SecretService/AddSecretVersion', { parent: secret, payload, requestId: 'once' }),
  step('SecretService/AddSecretVersion', { parent: secret, payload, requestId: 'once' }),
  step('SecretService/AddSecretVersion', { parent: secret, payload, expectedLatest: '1' }),
  step('SecretService/AccessSecretVersion', { name: `${secret}/versions/1` }),
  step('SecretService/AccessSecretVersion', { name: `${secret}/versions/latest` }),
  ...lists('SecretService/ListSecretVersions', { parent: secret }, `state = ENABLED AND ${since}`, 'create_time desc'),
  step('SecretService/DisableSecretVersion', { name: `${secret}/versions/1` }),
  step('SecretService/EnableSecretVersion', { name: `${secret}/versions/1` }),
  step('SecretService/DestroySecretVersion', { name: `${secret}/versions/1` }),
  step('SecretService/DeleteSecret', { name: secret }),
]

const audit: StoryStep[] = [
  ...['', acme, prod].flatMap((parent) => [
    ...lists(
      'AuditService/ListAuditEvents',
      { parent },
      'chain = "authority" AND event = "users.*" AND principal != "x" AND target = "x" AND event_time > "2026-01-01T00:00:00Z"',
      'event_time',
    ),
    ...(parent === prod ? [] : [step('AuditService/VerifyAuditChain', { parent })]),
    ...(parent === acme ? [step('AuditService/VerifyAuditChain', { parent, chain: 'access/replica-1' })] : []),
  ]),
]

const endings: StoryStep[] = [
  // A second owner, who is counted when one of them goes.
  step('MembershipService/CreateMembership', {
    parent: acme,
    membershipId: 'second-owner',
    membership: { user: `${acme}/users/bob`, roles: ['roles/owner'] },
  }),
  step('UserService/DisableUser', { name: `${acme}/users/bob` }),
  step('UserService/EnableUser', { name: `${acme}/users/bob` }),
  step('MembershipService/DeleteMembership', { name: `${acme}/memberships/second-owner` }),
  step('MembershipService/DeleteMembership', { name: `${prod}/memberships/of-user` }),
  step('UserService/DeleteUser', { name: `${acme}/users/carol`, force: true }),
  step('RoleService/DeleteRole', { name: `${acme}/roles/reader`, force: true }),
  step('ServiceAccountService/CreateServiceAccount', { parent: acme, serviceAccountId: 'gone' }),
  step('ServiceAccountService/DeleteServiceAccount', { name: `${acme}/serviceAccounts/gone`, force: true }),
  ...[acme, prod].map((parent) =>
    step('ApiKeyService/CreateApiKey', { parent, apiKey: { serviceAccount: `${acme}/serviceAccounts/robot` } }),
  ),
  step('ServiceAccountService/DeleteServiceAccount', { name: `${acme}/serviceAccounts/robot`, force: true }),
]

/** Every method of every service, each of them answered: what the stores have to say, they say here. */
export const wholeStory: readonly StoryStep[] = [
  ...[platform, tenants, workspaces, people, access, credentials, secrets, audit, endings, operationsStory].flat(),
]

/** The body with what the earlier answer named. */
export function bodyOf({ body }: StoryStep, answer: unknown): string {
  const known = Object(answer) as Named & { readonly [text: string]: unknown }
  const held: unknown[] = Object.values(known).filter((value) => typeof value === 'object' && value !== null)
  // Of a list its first.
  const [resource] = held.map((value) => (Array.isArray(value) ? value[0] : value))
  const texts: Readonly<Record<string, unknown>> = { ...(resource as object | undefined), ...known }
  return JSON.stringify(body).replaceAll(/\{(name|secret|nextPageToken)\}/g, (_, key: string) => String(texts[key]))
}
