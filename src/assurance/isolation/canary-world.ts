import {
  type DescMessage,
  type DescMethod,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
} from '@bufbuild/protobuf'
import { AccessService } from '../../gen/tenure/v1/access_service_pb.ts'
import { ApiKeyService } from '../../gen/tenure/v1/api_key_service_pb.ts'
import { Membership_WorkspaceReach } from '../../gen/tenure/v1/membership_pb.ts'
import { MembershipService } from '../../gen/tenure/v1/membership_service_pb.ts'
import { RoleService } from '../../gen/tenure/v1/role_service_pb.ts'
import { SecretService } from '../../gen/tenure/v1/secret_service_pb.ts'
import { ServiceAccountService } from '../../gen/tenure/v1/service_account_service_pb.ts'
import { TenantService } from '../../gen/tenure/v1/tenant_service_pb.ts'
import { UserService } from '../../gen/tenure/v1/user_service_pb.ts'
import { WorkspaceService } from '../../gen/tenure/v1/workspace_service_pb.ts'

/** How a call came out, in a form that can be compared byte by byte. */
export interface CanaryAnswer {
  /** `OK`, or the reason of the failure. */
  readonly outcome: string
  /** The answer, or the whole failure as it is sent. */
  readonly bytes: Uint8Array
}

/** Calls as they come from outside, through every step, with a key. */
export interface CanaryCalls {
  readonly methods: readonly CanaryMethod[]
  call<I extends DescMessage>(
    method: DescMethod & { readonly input: I },
    request: MessageInitShape<I>,
    key: string,
  ): Promise<CanaryAnswer>
}

/** A method that answers from one place, and the field that names it. */
export interface CanaryMethod {
  readonly desc: DescMethod
  readonly name: string
  /** Local name of the field at the top of the request. */
  readonly field: string
  /** What the field takes. */
  readonly pattern: RegExp
}

/** One of the two tenants that the server keeps for itself, to try to get from the one to the other. */
export interface Canary {
  readonly name: string
  readonly uid: string
  /** A word that stands in everything it has, and nowhere else. */
  readonly marker: string
  /** Of a service account that owns it. */
  readonly key: string
  /** Everything it has that has a name. */
  readonly names: readonly string[]
}

const keyLifeMs = 10 * 60_000

/** Makes what is missing of a canary, as an operator would, and a key for this look alone. */
export async function openCanary(calls: CanaryCalls, slug: string, rootKey: string, nowMs: number): Promise<Canary> {
  const name = `tenants/${slug}`
  const marker = `marker-of-${slug}`
  const workspace = `${name}/workspaces/perch`
  const account = `${name}/serviceAccounts/canary`
  const make = async <I extends DescMessage>(
    method: DescMethod & { readonly input: I },
    request: MessageInitShape<I>,
  ): Promise<void> => {
    const { outcome } = await calls.call(method, request, rootKey)
    if (outcome !== 'OK' && outcome !== 'ALREADY_EXISTS') throw new CanaryFailure(method.name, outcome)
  }
  await make(TenantService.method.createTenant, { tenantId: slug, tenant: { displayName: marker } })
  await make(WorkspaceService.method.createWorkspace, {
    parent: name,
    workspaceId: 'perch',
    workspace: { displayName: marker },
  })
  await make(UserService.method.createUser, {
    ...{ parent: name, userId: 'bird' },
    user: { issuer: 'https://canary.invalid', subject: marker, displayName: marker },
  })
  await make(ServiceAccountService.method.createServiceAccount, { parent: name, serviceAccountId: 'canary' })
  await make(RoleService.method.createRole, { parent: name, roleId: 'singer', role: { displayName: marker } })
  await make(MembershipService.method.createMembership, {
    ...{ parent: name, membershipId: 'canary' },
    membership: {
      member: { case: 'serviceAccount', value: account },
      roles: ['roles/owner'],
      workspaceReach: Membership_WorkspaceReach.ALL,
    },
  })
  await make(SecretService.method.createSecret, { parent: workspace, secretId: 'song' })
  const secret = `${workspace}/secrets/song`
  const sung = await calls.call(SecretService.method.accessSecretVersion, { name: `${secret}/versions/1` }, rootKey)
  if (sung.outcome === 'NOT_FOUND') {
    await make(SecretService.method.addSecretVersion, { parent: secret, payload: Buffer.from(marker) })
  }
  const expireTime = { seconds: BigInt(Math.ceil((nowMs + keyLifeMs) / 1000)), nanos: 0 }
  const owner = { case: 'serviceAccount', value: account } as const
  const apiKey = { owner, expireTime, displayName: 'for one look at isolation' }
  const made = await ask(calls, ApiKeyService.method.createApiKey, { parent: name, apiKey }, rootKey)
  const caller = await ask(calls, AccessService.method.getCaller, {}, made.secret)
  const { tenant } = await ask(calls, TenantService.method.getTenant, { name }, made.secret)
  if (caller.tenant !== name) throw new CanaryFailure('GetCaller', 'ANOTHER_TENANT')
  const below = ['users/bird', 'serviceAccounts/canary', 'memberships/canary', 'roles/singer', 'workspaces/perch']
  const names = [name, ...below.map((each) => `${name}/${each}`), secret, `${secret}/versions/1`]
  return { name, uid: tenant?.uid ?? '', marker, key: made.secret, names: [...names, made.apiKey?.name ?? ''] }
}

/** Revokes the key of this look. */
export async function closeCanary(calls: CanaryCalls, { names }: Canary, rootKey: string): Promise<void> {
  const name = names.find((each) => each.includes('/apiKeys/'))
  if (name !== undefined) await calls.call(ApiKeyService.method.revokeApiKey, { name }, rootKey)
}

/** Throws when it fails. */
export async function ask<I extends DescMessage, O extends DescMessage>(
  calls: CanaryCalls,
  method: DescMethod & { readonly input: I; readonly output: O },
  request: MessageInitShape<I>,
  key: string,
): Promise<MessageShape<O>> {
  const { outcome, bytes } = await calls.call(method, request, key)
  if (outcome !== 'OK') throw new CanaryFailure(method.name, outcome)
  return fromBinary(method.output, bytes)
}

/** What must work for a canary to sing does not. */
class CanaryFailure extends Error {
  override readonly name = 'CanaryFailure'

  constructor(method: string, outcome: string) {
    super(`A canary could not be made ready: ${method} answered ${outcome}.`)
  }
}
