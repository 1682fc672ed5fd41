import type { Connection, RowDataPacket } from 'mysql2/promise'
import { nilUuid } from '../../src/base/ids.ts'
import { Membership_WorkspaceReach } from '../../src/gen/tenure/v1/membership_pb.ts'
import { RoleService } from '../../src/gen/tenure/v1/role_service_pb.ts'
import { TenantService } from '../../src/gen/tenure/v1/tenant_service_pb.ts'
import { UserService } from '../../src/gen/tenure/v1/user_service_pb.ts'
import { WorkspaceService } from '../../src/gen/tenure/v1/workspace_service_pb.ts'
import type { Realm, World } from './crash-model.ts'
import { memberRoles, memberWorkspaces, probeUsers } from './crash-plan.ts'
import type { CrashRig } from './crash-rig.ts'
import { adoptThings } from './crash-rows.ts'
import type { CrashServer } from './crash-server.ts'
import { seedAccount } from './fixture.ts'
import type { TestServer } from './test-server.ts'

const tenantSlugs = ['alpha', 'bravo', 'charlie'] as const

/** What the trials begin with: three tenants with what no trial changes, and the model of it all. */
export async function seedWorld(rig: CrashRig): Promise<World> {
  const [server] = rig.servers
  if (server === undefined) throw new Error('there is no server to seed')
  const roles = server.client(RoleService, rig.rootKey)
  for (const permissionId of ['orders.read', 'orders.write']) await roles.createPermission({ permissionId })
  const keys: string[] = []
  for (const slug of tenantSlugs) keys.push(await seedTenant(server, rig.rootKey, slug))
  const door = await rig.openDoor()
  try {
    const tenants: Realm[] = []
    for (const [index, slug] of tenantSlugs.entries()) {
      tenants.push(await openRealm(door, slug, [rig.rootKey, keys[index] ?? '']))
    }
    return { tenants, directory: await openRealm(door, '', [rig.rootKey]) }
  } finally {
    await door.end()
  }
}

/** Answers the key of an account that owns the tenant. */
async function seedTenant(server: CrashServer, rootKey: string, slug: string): Promise<string> {
  const parent = `tenants/${slug}`
  await server.client(TenantService, rootKey).createTenant({ tenantId: slug })
  for (const workspaceId of memberWorkspaces) {
    await server.client(WorkspaceService, rootKey).createWorkspace({ parent, workspaceId })
  }
  for (const [index, roleId] of memberRoles.entries()) {
    const permissions = [index === 0 ? 'orders.read' : 'orders.write']
    await server.client(RoleService, rootKey).createRole({ parent, roleId, role: { permissions } })
  }
  for (const userId of probeUsers) {
    const user = { issuer: 'https://idp.example', subject: userId }
    await server.client(UserService, rootKey).createUser({ parent, userId, user })
  }
  const client: TestServer['client'] = (service, key = rootKey) => server.client(service, key)
  return seedAccount({ client } as TestServer, parent, 'owner-bot', 'roles/owner', Membership_WorkspaceReach.ALL)
}

async function openRealm(door: Connection, slug: string, keys: readonly string[]): Promise<Realm> {
  const select = 'SELECT tenant_id, sequence, chain_hash FROM'
  const [[head]] =
    slug === ''
      ? await door.query<RowDataPacket[]>(`${select} directory_heads WHERE tenant_id = ?`, [nilUuid])
      : await door.query<RowDataPacket[]>(`${select} tenant_heads WHERE slug = ?`, [slug])
  if (head === undefined) throw new Error(`there is no head of ${slug}`)
  const { tenant_id: id, sequence, chain_hash: hash } = head
  const realm: Realm = { slug, id, keys, things: [], sequence, hash, revision: '', unanswered: [] }
  await adoptThings(door, realm)
  return realm
}
