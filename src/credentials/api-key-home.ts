import type { DescMessage, MessageShape } from '@bufbuild/protobuf'
import { notFound } from '../base/errors.ts'
import { type Place, platformPlace } from '../base/resource-name.ts'
import { principalName, principalNamed } from '../people/principal-named.ts'
import { platformServiceAccountRows } from '../people/service-account-store.ts'
import { actorOf, type Call } from '../rpc/call.ts'
import type { Directory } from '../tenancy/directory.ts'
import type { PlatformCapabilities } from '../tenancy/platform-capability.ts'
import type { PlatformReadScope } from '../tenancy/platform-scope.ts'
import type { Rows } from '../tenancy/rows.ts'
import type { Scopes } from '../tenancy/scope.ts'
import type { ReadScope } from '../tenancy/tenant-unit.ts'
import type { Mutation } from '../tenancy/unit-of-work.ts'
import type { KeyRow } from './api-key-proto.ts'
import { apiKeyRows, platformApiKeyRows } from './api-key-store.ts'

export interface KeyOwner {
  readonly kind: 'user' | 'service_account'
  readonly id: string
}

/** Keys of one home: the place the call acts in, or the platform when it acts in none. */
export interface KeyScope {
  readonly place: Place
  readonly rows: Rows<KeyRow>
  /** Throws NOT_FOUND for every owner that is not of this home. */
  ownerNamed(kind: KeyOwner['kind'], name: string): Promise<KeyOwner>
  /** Empty when the owner is gone. */
  ownerName(owner: KeyOwner): Promise<string>
  insert(row: KeyRow): Promise<void>
}

export interface KeyUnit extends KeyScope {
  readonly now: Date
  readonly revision: string
  note(key: string, value: string | number | boolean | readonly string[]): void
  target(name: string): void
}

export interface KeyHomes {
  readonly scopes: Scopes
  readonly directory: Directory
  readonly capabilities: PlatformCapabilities
}

export function readKeys<T>(homes: KeyHomes, call: Call, work: (keys: KeyScope) => Promise<T>): Promise<T> {
  if (call.context === undefined) {
    return homes.directory.read(homes.capabilities['platform-principals'], (scope) => work(platformKeys(scope)))
  }
  return homes.scopes.read(call.context, (scope) => work(tenantKeys(scope)))
}

export function writeKeys<O extends DescMessage>(
  homes: KeyHomes,
  call: Call,
  mutation: Mutation<O>,
  closure: (unit: KeyUnit) => Promise<MessageShape<O>>,
): Promise<MessageShape<O>> {
  if (call.context === undefined) {
    const capability = homes.capabilities['platform-principals']
    return homes.directory.write(capability, actorOf(call), mutation, (unit) =>
      closure({ ...unit, ...platformKeys(unit) }),
    )
  }
  return homes.scopes.write(call.context, mutation, (unit) => closure({ ...unit, ...tenantKeys(unit) }))
}

function tenantKeys(scope: ReadScope): KeyScope {
  const { context } = scope
  const rows = apiKeyRows(scope)
  return {
    place: { tenant: context.tenantSlug, workspace: context.workspaceSlug },
    rows: rows as unknown as Rows<KeyRow>,
    async ownerNamed(kind, name) {
      const { principalId } = await principalNamed(scope, kind, name)
      return { kind, id: principalId }
    },
    ownerName: ({ kind, id }) => principalName(scope, kind, id),
    insert: (row) => rows.insert({ ...row, tenantId: context.tenantId, workspaceId: context.workspaceId }),
  }
}

function platformKeys(scope: PlatformReadScope): KeyScope {
  const rows = platformApiKeyRows(scope)
  const asKey = { ownerKind: 'service_account' as const, lastUsedTime: null }
  return {
    place: platformPlace,
    rows: {
      ...(rows as unknown as Rows<KeyRow>),
      async find(where) {
        const row = await rows.find(where)
        return row === undefined ? undefined : { ...row, ...asKey }
      },
      page: async (query) => (await rows.page(query)).map((row) => ({ ...row, ...asKey })),
    },
    async ownerNamed(kind, name) {
      const slug = /^serviceAccounts\/([^/]+)$/.exec(name)?.[1]
      const account =
        kind === 'user' || slug === undefined
          ? undefined
          : await platformServiceAccountRows(scope).findGenuine({ slug })
      if (account === undefined) throw notFound()
      return { kind, id: account.serviceAccountId }
    },
    async ownerName({ id }) {
      const account = await platformServiceAccountRows(scope).find({ serviceAccountId: id })
      return account === undefined ? '' : `serviceAccounts/${account.slug}`
    },
    insert: ({ ownerKind: _always, lastUsedTime: _never, ...row }) => rows.insert(row),
  }
}
