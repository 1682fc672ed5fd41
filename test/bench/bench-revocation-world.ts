import type { DescService } from '@bufbuild/protobuf'
import { type Client, createClient, type Interceptor } from '@connectrpc/connect'
import { createGrpcTransport } from '@connectrpc/connect-node'
import { AccessService, Decision } from '../../src/gen/tenure/v1/access_service_pb.ts'
import { ApiKeyService } from '../../src/gen/tenure/v1/api_key_service_pb.ts'
import { MembershipService } from '../../src/gen/tenure/v1/membership_service_pb.ts'
import { RoleService } from '../../src/gen/tenure/v1/role_service_pb.ts'
import { ServiceAccountService } from '../../src/gen/tenure/v1/service_account_service_pb.ts'
import { TenantService } from '../../src/gen/tenure/v1/tenant_service_pb.ts'
import { UserService } from '../../src/gen/tenure/v1/user_service_pb.ts'
import { WorkspaceService } from '../../src/gen/tenure/v1/workspace_service_pb.ts'
import { endChild, startChild } from '../support/child-server.ts'
import { openInstallation } from '../support/crash-installation.ts'

type Clients = <S extends DescService>(service: S) => Client<S>

/** Two servers on one MySQL: one is written to, the other is asked. */
export interface RevocationWorld extends AsyncDisposable {
  /** Deletes a membership on the first server; answers the revision of that. */
  revoke(member: string): Promise<string>
  /** Asks the second server, over one connection that is used for nothing else. */
  isAllowed(member: string, atLeastRevision?: string): Promise<boolean>
  /** Changes one of the tenants that nobody asks about, on each server in turn. */
  writeElsewhere(number: number): Promise<unknown>
  addMembers(members: readonly string[]): Promise<void>
}

const tenant = 'tenants/acme'
const workspace = `${tenant}/workspaces/prod`
const otherTenants = 8
const membersAtOnce = 100

export async function openRevocationWorld(): Promise<RevocationWorld> {
  await using stack = new AsyncDisposableStack()
  const { mysql, rootKey, envOf } = stack.use(await openInstallation())
  const servers: Clients[] = []
  const ports: number[] = []
  for (const name of ['replica-1', 'replica-2']) {
    const child = await startChild(envOf(name, mysql))
    stack.defer(async () => void (await endChild(child, 'SIGTERM')))
    servers.push(clientsOf(child.grpcPort, rootKey))
    ports.push(child.grpcPort)
  }
  const [first, second] = servers
  if (first === undefined || second === undefined) throw new Error('two servers were to be started')
  await seed(first)
  const access = clientsOf(ports[1] ?? 0, await seedChecker(first))(AccessService)
  // The key was made on the other server, and is good here once the feed has told of it.
  while (
    await access.getCaller({}).then(
      () => false,
      () => true,
    )
  );
  const owned = stack.move()
  return {
    async revoke(member) {
      return (await first(MembershipService).deleteMembership({ name: `${workspace}/memberships/${member}` })).revision
    },
    async isAllowed(member, atLeastRevision = '') {
      const { decision } = await access.authorize({
        parent: workspace,
        credential: { case: 'principal', value: { kind: { case: 'user', value: `${tenant}/users/${member}` } } },
        permission: 'orders.read',
        atLeastRevision,
      })
      return decision === Decision.ALLOW
    },
    writeElsewhere(number) {
      const server = number % 2 === 0 ? first : second
      const name = `tenants/other-${number % otherTenants}/users/busy`
      return server(UserService).updateUser({ user: { name, displayName: `written ${number}` } })
    },
    addMembers: (members) => addMembers(first, members),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

/** Every service over one connection of its own. */
function clientsOf(port: number, key: string): Clients {
  const bearer: Interceptor = (next) => (request) => {
    request.header.set('authorization', `Bearer ${key}`)
    return next(request)
  }
  const transport = createGrpcTransport({ baseUrl: `http://127.0.0.1:${port}`, interceptors: [bearer] })
  return (service) => createClient(service, transport)
}

async function seed(server: Clients): Promise<void> {
  await server(RoleService).createPermission({ permissionId: 'orders.read' })
  await server(TenantService).createTenant({ tenantId: 'acme' })
  await server(WorkspaceService).createWorkspace({ parent: tenant, workspaceId: 'prod' })
  const role = { permissions: ['orders.read'] }
  await server(RoleService).createRole({ parent: tenant, roleId: 'reader', role })
  for (let number = 0; number < otherTenants; number += 1) {
    const parent = `tenants/other-${number}`
    await server(TenantService).createTenant({ tenantId: `other-${number}` })
    await server(UserService).createUser({ parent, userId: 'busy', user: identityOf('busy') })
  }
}

/** A service as it asks in production: an account of the platform whose key may ask and nothing else. */
async function seedChecker(server: Clients): Promise<string> {
  const serviceAccount = { roles: ['roles/platform.admin'] }
  await server(ServiceAccountService).createServiceAccount({ serviceAccountId: 'orders', serviceAccount })
  const owner = { case: 'serviceAccount' as const, value: 'serviceAccounts/orders' }
  const { secret } = await server(ApiKeyService).createApiKey({ apiKey: { owner, permissions: ['access.check'] } })
  return secret
}

async function addMembers(server: Clients, members: readonly string[]): Promise<void> {
  for (let at = 0; at < members.length; at += membersAtOnce) {
    const some = members.slice(at, at + membersAtOnce)
    await Promise.all(
      some.map((userId) => server(UserService).createUser({ parent: tenant, userId, user: identityOf(userId) })),
    )
    const requests = some.map((membershipId) => ({
      membershipId,
      membership: {
        member: { case: 'user' as const, value: `${tenant}/users/${membershipId}` },
        roles: [`${tenant}/roles/reader`],
      },
    }))
    await server(MembershipService).batchCreateMemberships({ parent: workspace, requests })
  }
}

function identityOf(subject: string): { issuer: string; subject: string } {
  return { issuer: 'https://idp.example', subject }
}
