import { AccessService, Decision } from '../../src/gen/tenure/v1/access_service_pb.ts'
import { ApiKeyService } from '../../src/gen/tenure/v1/api_key_service_pb.ts'
import { MembershipService } from '../../src/gen/tenure/v1/membership_service_pb.ts'
import { RoleService } from '../../src/gen/tenure/v1/role_service_pb.ts'
import { ServiceAccountService } from '../../src/gen/tenure/v1/service_account_service_pb.ts'
import { TokenService } from '../../src/gen/tenure/v1/token_service_pb.ts'
import { WorkspaceService } from '../../src/gen/tenure/v1/workspace_service_pb.ts'
import type { TenantTokenClaims } from '../../src/jwt/tenant-token-claims.ts'
import { reasonOf } from '../support/reason.ts'
import type { TestServer } from '../support/test-server.ts'

/** Somebody with one permission in one workspace, and every name by which it can be taken away. */
export interface Holder {
  readonly workspace: string
  readonly account: string
  readonly role: string
  readonly membership: string
  readonly keyName: string
  readonly key: string
}

const held = 'orders.read'

export async function makeHolder(server: TestServer, tenant: string, id: string): Promise<Holder> {
  const workspace = `${tenant}/workspaces/${id}`
  const account = `${tenant}/serviceAccounts/${id}`
  const role = `${tenant}/roles/${id}`
  await server.client(WorkspaceService).createWorkspace({ parent: tenant, workspaceId: id })
  await server.client(ServiceAccountService).createServiceAccount({ parent: tenant, serviceAccountId: id })
  const permissions = [held, 'tokens.issue']
  await server.client(RoleService).createRole({ parent: tenant, roleId: id, role: { permissions } })
  const lesser = { permissions: ['tokens.issue'] }
  await server.client(RoleService).createRole({ parent: tenant, roleId: `${id}-lesser`, role: lesser })
  const member = { case: 'serviceAccount' as const, value: account }
  const roles = server.client(MembershipService)
  const { membership } = await roles.createMembership({
    parent: workspace,
    membershipId: id,
    membership: { member, roles: [role] },
  })
  const apiKey = { owner: member }
  const made = await server.client(ApiKeyService).createApiKey({ parent: workspace, apiKey })
  const names = { membership: membership?.name ?? '', keyName: made.apiKey?.name ?? '', key: made.secret }
  return { workspace, account, role, ...names }
}

/** Takes the power of a holder away. Answers the revision of that. */
export type Taking = (server: TestServer, holder: Holder) => Promise<{ readonly revision: string }>

export const takings: readonly (readonly [string, Taking])[] = [
  [
    'its membership is deleted',
    (server, { membership }) => server.client(MembershipService).deleteMembership({ name: membership }),
  ],
  [
    'its membership is given a lesser role',
    (server, { membership, role }) => {
      const lesser = { name: membership, roles: [`${role}-lesser`] }
      return server.client(MembershipService).updateMembership({ membership: lesser, updateMask: { paths: ['roles'] } })
    },
  ],
  [
    'its role loses the permission',
    (server, { role }) =>
      server
        .client(RoleService)
        .updateRole({ role: { name: role, permissions: ['tokens.issue'] }, updateMask: { paths: ['permissions'] } }),
  ],
  [
    'it is disabled',
    (server, { account }) => server.client(ServiceAccountService).disableServiceAccount({ name: account }),
  ],
  [
    'its workspace is archived',
    (server, { workspace }) => server.client(WorkspaceService).archiveWorkspace({ name: workspace }),
  ],
]

/** How a token is asked for that would carry the power. */
type Asking = (server: TestServer, holder: Holder, atLeastRevision: string) => Promise<{ readonly token: string }>

export const byRoot: Asking = (server, { workspace, account }, atLeastRevision) =>
  server.client(TokenService).issueToken({
    ...{ parent: tenantOf(workspace), atLeastRevision },
    principal: { kind: { case: 'serviceAccount', value: account } },
  })

export const byOwnKey: Asking = (server, { workspace, key }, atLeastRevision) =>
  server.client(TokenService, key).issueToken({ parent: workspace, atLeastRevision })

function tenantOf(name: string): string {
  return name.split('/').slice(0, 2).join('/')
}

interface Answered {
  readonly askedMs: number
  /** `CARRIED`, `EMPTY`, or the reason of a refusal. */
  readonly answer: string
}

export interface Race {
  readonly before: readonly Answered[]
  /** Of those that were asked for after the taking was answered. */
  readonly after: readonly Answered[]
}

const workers = 6
const askedAfterwards = 40

/**
 * Asks one server for tokens without pause while the power is taken away on another, or the same. With `withRevision`,
 * who asks after the taking was answered asks with its revision.
 */
export async function raceTaking(
  asked: TestServer,
  taken: TestServer,
  holder: Holder,
  { asking, taking, withRevision }: { asking: Asking; taking: Taking; withRevision: boolean },
): Promise<Race> {
  const answers: Answered[] = []
  let revision = ''
  let goneMs = Number.POSITIVE_INFINITY
  let after = 0
  const worker = async () => {
    while (after < askedAfterwards) {
      const askedMs = performance.now()
      const isAfter = askedMs > goneMs
      const answer = await outcomeOf(asking(asked, holder, revision), holder)
      answers.push({ askedMs, answer })
      if (isAfter) after += 1
    }
  }
  const done = Promise.all(Array.from({ length: workers }, worker))
  while (answers.length < workers * 3) await new Promise((resolve) => setTimeout(resolve, 1))
  const answer = await taking(taken, holder)
  if (withRevision) revision = answer.revision
  goneMs = performance.now()
  await done
  return {
    before: answers.filter(({ askedMs }) => askedMs <= goneMs),
    after: answers.filter(({ askedMs }) => askedMs > goneMs),
  }
}

async function outcomeOf(call: Promise<{ readonly token: string }>, { workspace }: Holder): Promise<string> {
  const reason = await reasonOf(call)
  if (reason !== 'OK') return reason
  const claims = claimsIn((await call).token)
  const slug = workspace.split('/').at(-1)
  const carries = claims.workspaces.some((each) => each.slug === slug && each.permissions.includes(held))
  return carries || claims.permissions.includes(held) ? 'CARRIED' : 'EMPTY'
}

function claimsIn(token: string): TenantTokenClaims {
  return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())
}

/** Waits until that server knows the holder. */
export async function untilKnown(server: TestServer, { workspace, key }: Holder): Promise<void> {
  const endMs = performance.now() + 3_000
  for (;;) {
    const { decision } = await server.client(AccessService).authorize({
      ...{ parent: workspace, permission: held },
      credential: { case: 'apiKey', value: key },
    })
    if (decision === Decision.ALLOW) return
    if (performance.now() > endMs) throw new Error('the holder is not known in time')
  }
}
