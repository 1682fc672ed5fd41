import type { DescMessage, MessageShape } from '@bufbuild/protobuf'
import type { Grants } from '../access/grants.ts'
import { canaryAccount, canaryAccountRefusal } from '../base/canaries.ts'
import { invalidField, notFound, TenureError } from '../base/errors.ts'
import { hasPlatformKeys, revokePlatformKeysOf } from '../credentials/platform-api-key-store.ts'
import { actorOf, type Call, mutationOf } from '../rpc/call.ts'
import type { Directory, PlatformUnit } from '../tenancy/directory.ts'
import type { PlatformCapabilities } from '../tenancy/platform-capability.ts'
import { assertNeverUsed, assertNeverUsedOnPlatform, retireName, retirePlatformName } from '../tenancy/retired-names.ts'
import type { Rows } from '../tenancy/rows.ts'
import type { Scopes } from '../tenancy/scope.ts'
import type { Unit } from '../tenancy/tenant-unit.ts'
import { assertMaySwitch, removeWhatItHas } from './principal-removal.ts'
import type { PlatformServiceAccountRow } from './service-account.ts'
import { platformServiceAccountRows, serviceAccountRows } from './service-account-store.ts'

/** A service account as both homes know it; a tenant's has no roles of its own. */
export type AccountRow = PlatformServiceAccountRow

/** The unit of work of either home, as far as service accounts need one. */
export interface AccountUnit {
  readonly now: Date
  readonly revision: string
  note(key: string, value: string | number | boolean | readonly string[]): void
  target(name: string): void
  find(slug: string): Promise<AccountRow | undefined>
  insert(row: AccountRow): Promise<void>
  update(id: string, changes: Partial<AccountRow>): Promise<void>
  /** Takes its memberships and keys along; without `force` it is refused while it has any. */
  remove(row: AccountRow, force: boolean): Promise<void>
  /** Called where one is disabled or enabled: only by a caller who holds as much as it does, and never the last owner. */
  assertMaySwitch(row: AccountRow): Promise<void>
  assertNeverUsed(slug: string): Promise<void>
}

export interface AccountHomes {
  readonly scopes: Scopes
  readonly directory: Directory
  readonly capabilities: PlatformCapabilities
  readonly grants: Grants
}

const collection = 'serviceAccounts'

/** One change of a service account, in the tenant the call acts in, or on the platform when it acts in none. */
export function writeAccount<O extends DescMessage>(
  homes: AccountHomes,
  call: Call,
  response: O,
  options: { readonly target: string; readonly validateOnly?: boolean },
  closure: (unit: AccountUnit) => Promise<MessageShape<O>>,
): Promise<MessageShape<O>> {
  const mutation = mutationOf(call, response, options)
  if (call.context === undefined) {
    const capability = homes.capabilities['platform-principals']
    return homes.directory.write(capability, actorOf(call), mutation, (unit) =>
      closure(platformAccounts(homes, call, unit)),
    )
  }
  return homes.scopes.write(call.context, { ...mutation, allWorkspaces: 'principal-removal' }, (unit) =>
    closure(tenantAccounts(homes, call, unit)),
  )
}

export function readAccounts<T>(
  homes: AccountHomes,
  call: Call,
  work: (rows: Rows<AccountRow>) => Promise<T>,
): Promise<T> {
  if (call.context === undefined) {
    return homes.directory.read(homes.capabilities['platform-principals'], (scope) =>
      work(platformServiceAccountRows(scope)),
    )
  }
  return homes.scopes.read(call.context, (scope) => work(serviceAccountRows(scope) as unknown as Rows<AccountRow>))
}

function tenantAccounts({ grants }: AccountHomes, call: Call, unit: Unit): AccountUnit {
  const rows = serviceAccountRows(unit)
  return {
    ...unit,
    async find(slug) {
      const row = await rows.find({ slug })
      return row === undefined ? undefined : { ...row, roles: [] }
    },
    async insert({ roles, ...row }) {
      if (roles.length > 0) {
        throw invalidField('service_account.roles', "is for the platform's accounts; give a tenant's one a membership")
      }
      await rows.insert({ ...row, tenantId: unit.context.tenantId })
    },
    async update(id, { roles, ...changes }) {
      if (roles !== undefined && roles.length > 0) {
        throw invalidField('service_account.roles', "is for the platform's accounts; give a tenant's one a membership")
      }
      await rows.update(id, changes)
    },
    async remove(row, force) {
      await removeWhatItHas({ grants, call }, unit, row.serviceAccountId, force)
      await rows.delete(row.serviceAccountId)
      await retireName(unit, collection, row.slug)
    },
    assertMaySwitch: (row) => assertMaySwitch({ grants, call }, unit, row.serviceAccountId),
    assertNeverUsed: (slug) => assertNeverUsed(unit, collection, slug),
  }
}

/** What is built in, and why it stays as it is. */
const builtIn: ReadonlyMap<string, string> = new Map([
  // Without it nobody could mend anything.
  ['root', 'The root service account is built in. Revoke its keys instead.'],
  [canaryAccount, canaryAccountRefusal],
])

function platformAccounts({ grants }: AccountHomes, call: Call, unit: PlatformUnit): AccountUnit {
  const rows = platformServiceAccountRows(unit)
  const refuseBuiltIn = ({ slug }: Pick<AccountRow, 'slug'>) => {
    const refusal = builtIn.get(slug)
    if (refusal !== undefined) throw new TenureError('SYSTEM_RESOURCE', refusal)
  }
  /** Who holds less than these templates grant may neither give them nor touch the account that has them. */
  const assertHolds = async (roles: readonly string[]) => {
    for (const role of roles) await grants.assertHolds(call, undefined, grants.templatePermissionsOf(role))
  }
  return {
    ...unit,
    find: (slug) => rows.find({ slug }),
    async insert(row) {
      refuseBuiltIn(row)
      await assertHolds(row.roles)
      unit.note('roles', row.roles)
      await rows.insert(row)
    },
    async update(id, changes) {
      const row = await rows.find({ serviceAccountId: id })
      if (row === undefined) throw notFound()
      if (changes.roles !== undefined || changes.state !== undefined) {
        refuseBuiltIn(row)
        await assertHolds([...row.roles, ...(changes.roles ?? [])])
      }
      if (changes.roles !== undefined) unit.note('roles', changes.roles)
      await rows.update(id, changes)
    },
    async remove(row, force) {
      refuseBuiltIn(row)
      await assertHolds(row.roles)
      if (!force && (await hasPlatformKeys(unit, row.serviceAccountId))) {
        throw new TenureError('RESOURCE_IN_USE', 'It has keys. Revoke them first, or set force to revoke them with it.')
      }
      unit.note('keys_revoked', await revokePlatformKeysOf(unit, row.serviceAccountId))
      await rows.delete(row.serviceAccountId)
      await retirePlatformName(unit, collection, row.slug)
    },
    // Its update has asked already, and the platform has no last owner: the root account cannot be switched off.
    assertMaySwitch: async () => undefined,
    assertNeverUsed: (slug) => assertNeverUsedOnPlatform(unit, collection, slug),
  }
}
