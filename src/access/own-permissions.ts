import type { PermissionEffect } from './permission.ts'

/** A permission of Tenure itself. Methods name them in their policies; a start with a policy that names another fails. */
export interface OwnPermission {
  readonly name: string
  readonly effect: PermissionEffect
  /** Only a platform role can have it: no tenant ever grants it. */
  readonly platformOnly: boolean
  readonly description: string
}

function own(name: string, effect: PermissionEffect, description: string): OwnPermission {
  return { name, effect, platformOnly: false, description }
}

function platform(name: string, effect: PermissionEffect, description: string): OwnPermission {
  return { name, effect, platformOnly: true, description }
}

function crud(noun: string, verbs: readonly string[], what: string): OwnPermission[] {
  return verbs.map((verb) =>
    own(`${noun}.${verb}`, verb === 'get' || verb === 'list' ? 'READ' : 'WRITE', `${verb} ${what}`),
  )
}

export const ownPermissions: readonly OwnPermission[] = [
  platform('tenants.create', 'WRITE', 'create tenants'),
  platform('tenants.list', 'READ', 'list the tenants of the platform'),
  platform('tenants.suspend', 'WRITE', 'suspend a tenant'),
  platform('tenants.resume', 'WRITE', 'end the suspension of a tenant'),
  platform('tenants.undelete', 'WRITE', 'bring a deleted tenant back'),
  platform('tenants.purge', 'WRITE', 'remove a deleted tenant for good'),
  ...crud('tenants', ['get', 'update', 'delete'], 'the tenant'),
  ...crud(
    'workspaces',
    ['create', 'get', 'list', 'update', 'archive', 'unarchive', 'delete', 'undelete', 'purge'],
    'workspaces of the tenant',
  ),
  ...crud('users', ['create', 'get', 'list', 'update', 'disable', 'enable', 'delete'], 'users of the tenant'),
  ...crud('serviceAccounts', ['create', 'get', 'list', 'update', 'disable', 'enable', 'delete'], 'service accounts'),
  ...crud('memberships', ['create', 'get', 'list', 'update', 'delete'], 'memberships of the place'),
  ...crud('roles', ['create', 'get', 'list', 'update', 'delete'], 'roles of the tenant'),
  platform('permissions.create', 'WRITE', 'add to the catalogue of permissions'),
  platform('permissions.delete', 'WRITE', 'take out of the catalogue of permissions'),
  ...crud('apiKeys', ['create', 'get', 'list', 'revoke'], 'API keys of the place'),
  ...crud('secrets', ['create', 'get', 'list', 'update', 'delete'], 'secrets of the workspace, without their values'),
  own('secrets.addVersion', 'WRITE', 'give a secret of the workspace a value'),
  own('secrets.access', 'READ', 'have the values of secrets of the workspace'),
  own('secrets.listVersions', 'READ', 'list versions of secrets of the workspace'),
  own('secrets.enableVersion', 'WRITE', 'let a value be had again'),
  own('secrets.disableVersion', 'WRITE', 'keep a value from being had'),
  own('secrets.destroyVersion', 'WRITE', 'erase a value for good'),
  own('tokens.issue', 'READ', 'have a token of its own power at the place'),
  own('tokens.impersonate', 'WRITE', 'have a token about another principal of the place'),
  platform('signingKeys.list', 'READ', 'list the keys that tokens are signed with'),
  own('access.check', 'READ', 'ask what a principal may do at the place'),
  own('audit.list', 'READ', 'list audit events of the place'),
  own('audit.verify', 'READ', 'verify audit chains'),
  ...crud('operations', ['get', 'list', 'cancel', 'delete'], 'long-running operations of the tenant'),
  platform('diagnostics.get', 'READ', 'ask what is running'),
  platform('diagnostics.diagnoseIsolation', 'WRITE', 'look for what could let one tenant reach another'),
  platform('diagnostics.getReport', 'READ', 'read what a look at isolation has found'),
  platform('diagnostics.listReports', 'READ', 'list what looks at isolation have found'),
  platform('diagnostics.listViolations', 'READ', 'list what guards have refused'),
  platform('diagnostics.reportViolations', 'WRITE', "report what a service's guard has refused"),
]

const ofPlatform: ReadonlySet<string> = new Set(
  ownPermissions.filter(({ platformOnly }) => platformOnly).map(({ name }) => name),
)

/** Whether no tenant can grant it. */
export function isOfPlatform(permission: string): boolean {
  return ofPlatform.has(permission)
}

/** Collections of Tenure's API, those to come included: a product's permission of that noun would stand in a later version's way. */
const nounsToCome = [
  ...['groups', 'invitations', 'tokens', 'signingKeys', 'identityProviders', 'secrets', 'providers', 'encryption'],
  ...['policy', 'settings', 'fields', 'manifest', 'plans', 'limits', 'usage', 'placement', 'lifecycle', 'privacy'],
  ...['legalHolds', 'cells', 'meters'],
]

const ownNouns: ReadonlySet<string> = new Set([
  ...ownPermissions.map(({ name }) => name.slice(0, name.indexOf('.'))),
  ...nounsToCome,
])

/** Whether the noun of this permission is one of Tenure's own. */
export function isOwnNoun(permission: string): boolean {
  return ownNouns.has(permission.slice(0, permission.indexOf('.')))
}
