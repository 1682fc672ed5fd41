import { formatApiKey, hashSecret, parseApiKey } from '../../src/credentials/api-key.ts'
import { ApiKeyService } from '../../src/gen/tenure/v1/api_key_service_pb.ts'
import { MembershipService } from '../../src/gen/tenure/v1/membership_service_pb.ts'
import { ServiceAccountService } from '../../src/gen/tenure/v1/service_account_service_pb.ts'
import { UserService } from '../../src/gen/tenure/v1/user_service_pb.ts'
import { seedKey } from './fixture.ts'
import { account, allowed, type Forgery, insertCopy, oneRow, reads, succeeds } from './forgery.ts'

const platform = '00000000-0000-0000-0000-000000000000'

function insertedMembership(id: string, code: 'none' | 'of another row' | 'of zeros'): Forgery {
  return {
    name: `a membership inserted, with the code ${code}`,
    table: 'memberships',
    async prepare(world) {
      const { acme } = world
      const { uid, key } = await account(world, acme.name, id)
      const owner = await oneRow(world, 'memberships', 'tenant_id = ? AND slug = ?', acme.uid, 'owner-bot')
      const codes = { none: null, 'of another row': owner.row_code, 'of zeros': Buffer.alloc(32) }
      return {
        async plant() {
          const changes = { membership_id: uid, slug: id, principal_id: uid, row_code: codes[code] }
          await insertCopy(world, 'memberships', owner, changes)
          return uid
        },
        hasPower: (server) => reads(server, acme.name, key),
      }
    },
  }
}

const ownerRoleAdded: Forgery = {
  name: 'the role of owners added to a membership',
  table: 'memberships',
  async prepare(world) {
    const { rows, acme, server } = world
    const { name, key } = await account(world, acme.name, 'climber')
    const membership = { member: { case: 'serviceAccount', value: name } as const, roles: ['roles/viewer'] }
    const made = await server.client(MembershipService).createMembership({ parent: acme.name, membership })
    const id = made.membership?.uid ?? ''
    return {
      async plant() {
        await rows.run(`UPDATE memberships SET roles = '["roles/viewer","roles/owner"]' WHERE membership_id = ?`, [id])
        return id
      },
      hasPower: (running) =>
        succeeds(
          running.client(UserService, key).createUser({ parent: acme.name, user: { issuer: 'a', subject: 'b' } }),
        ),
    }
  },
}

const roleWidened: Forgery = {
  name: 'a role widened',
  table: 'roles',
  async prepare(world) {
    const { rows, acme } = world
    const row = await oneRow(world, 'roles', 'tenant_id = ? AND slug = ?', acme.uid, 'order-reader')
    return {
      async plant() {
        const id = String(row.role_id)
        await rows.run(`UPDATE roles SET permissions = '["orders.read","orders.write"]' WHERE role_id = ?`, [id])
        return id
      },
      hasPower: (server) => allowed(server, acme, 'alice@acme', 'orders.write'),
    }
  },
}

const keyUnrevoked: Forgery = {
  name: 'a key that was revoked made live again',
  table: 'api_keys',
  async prepare(world) {
    const { rows, acme, server } = world
    const key = await seedKey(server, acme.name, `${acme.name}/serviceAccounts/owner-bot`)
    const id = parseApiKey(key, server.config.environment)?.apiKeyId ?? ''
    await server.client(ApiKeyService).revokeApiKey({ name: `${acme.name}/apiKeys/${id}` })
    return {
      async plant() {
        await rows.run(`UPDATE api_keys SET state = 'ACTIVE' WHERE api_key_id = ?`, [id])
        return id
      },
      hasPower: (running) => reads(running, acme.name, key),
    }
  },
}

const keyGivenToOwner: Forgery = {
  name: 'a key given to another owner',
  table: 'api_keys',
  async prepare(world) {
    const { rows, acme, server } = world
    const { key } = await account(world, acme.name, 'key-thief')
    const id = parseApiKey(key, server.config.environment)?.apiKeyId ?? ''
    const owner = await oneRow(world, 'service_accounts', 'tenant_id = ? AND slug = ?', acme.uid, 'owner-bot')
    return {
      async plant() {
        await rows.run('UPDATE api_keys SET owner_id = ? WHERE api_key_id = ?', [String(owner.service_account_id), id])
        return id
      },
      hasPower: (running) => reads(running, acme.name, key),
    }
  },
}

const keyInserted: Forgery = {
  name: 'a key of the owner inserted, whose secret the thief chose',
  table: 'api_keys',
  async prepare(world) {
    const { acme, server } = world
    const { environment } = server.config
    const id = parseApiKey(acme.ownerKey, environment)?.apiKeyId ?? ''
    const row = await oneRow(world, 'api_keys', 'api_key_id = ?', id)
    const secret = Buffer.alloc(32, 7)
    const apiKeyId = crypto.randomUUID()
    return {
      async plant() {
        await insertCopy(world, 'api_keys', row, { api_key_id: apiKeyId, secret_hash: hashSecret(secret) })
        return apiKeyId
      },
      hasPower: (running) => reads(running, acme.name, formatApiKey(environment, acme.uid, apiKeyId, secret)),
    }
  },
}

const copiedFromAnotherTenant: Forgery = {
  name: 'an account, its membership and its key copied whole from the tenant of the thief',
  table: 'memberships',
  async prepare(world) {
    const { acme, globex, server } = world
    const { environment } = server.config
    const key = parseApiKey(globex.ownerKey, environment)
    const owned = await oneRow(world, 'api_keys', 'api_key_id = ?', key?.apiKeyId ?? '')
    const owner = String(owned.owner_id)
    const secret = Buffer.alloc(32, 8)
    const inAcme = { tenant_id: acme.uid }
    return {
      async plant() {
        const bot = await oneRow(world, 'service_accounts', 'service_account_id = ?', owner)
        await insertCopy(world, 'service_accounts', bot, { ...inAcme, slug: 'copied' })
        const membership = await oneRow(world, 'memberships', 'principal_id = ?', owner)
        await insertCopy(world, 'memberships', membership, { ...inAcme, slug: 'copied' })
        await insertCopy(world, 'api_keys', owned, { ...inAcme, secret_hash: hashSecret(secret) })
        return String(membership.membership_id)
      },
      hasPower: (running) =>
        reads(running, acme.name, formatApiKey(environment, acme.uid, key?.apiKeyId ?? '', secret)),
    }
  },
}

const identityReplaced: Forgery = {
  name: 'the identity of a user replaced by that of the thief',
  table: 'users',
  async prepare(world) {
    const { rows, acme, server } = world
    const user = { issuer: 'https://idp.example', subject: 'carol@acme' }
    const made = await server.client(UserService).createUser({ parent: acme.name, userId: 'carol', user })
    const member = { case: 'user', value: `${acme.name}/users/carol` } as const
    await server
      .client(MembershipService)
      .createMembership({ parent: `${acme.name}/workspaces/prod`, membership: { member, roles: ['roles/owner'] } })
    const id = made.user?.uid ?? ''
    return {
      async plant() {
        await rows.run('UPDATE users SET subject = ? WHERE user_id = ?', [Buffer.from('thief'), id])
        return id
      },
      hasPower: (running) => allowed(running, acme, 'thief', 'secrets.get'),
    }
  },
}

const accountEnabled: Forgery = {
  name: 'an account that was disabled enabled again',
  table: 'service_accounts',
  async prepare(world) {
    const { rows, acme, server } = world
    const { name, uid, key } = await account(world, acme.name, 'dismissed')
    const membership = { member: { case: 'serviceAccount', value: name } as const, roles: ['roles/viewer'] }
    await server.client(MembershipService).createMembership({ parent: acme.name, membership })
    await server.client(ServiceAccountService).disableServiceAccount({ name })
    return {
      async plant() {
        await rows.run(`UPDATE service_accounts SET state = 'ACTIVE' WHERE service_account_id = ?`, [uid])
        return uid
      },
      hasPower: (running) => reads(running, acme.name, key),
    }
  },
}

const platformAdmin: Forgery = {
  name: 'an account of the platform made an administrator',
  table: 'platform_service_accounts',
  async prepare(world) {
    const { rows, acme } = world
    const { uid, key } = await account(world, '', 'platform-climber')
    return {
      async plant() {
        const roles = '["roles/platform.admin"]'
        await rows.run('UPDATE platform_service_accounts SET roles = ? WHERE service_account_id = ?', [roles, uid])
        return uid
      },
      hasPower: (running) => reads(running, acme.name, key),
    }
  },
}

const platformKeyInserted: Forgery = {
  name: 'a key of the root account inserted',
  table: 'platform_api_keys',
  async prepare(world) {
    const { acme, server } = world
    const { environment } = server.config
    const row = await oneRow(
      world,
      'platform_api_keys',
      'api_key_id = ?',
      parseApiKey(server.rootKey, environment)?.apiKeyId ?? '',
    )
    const secret = Buffer.alloc(32, 9)
    const apiKeyId = crypto.randomUUID()
    return {
      async plant() {
        await insertCopy(world, 'platform_api_keys', row, { api_key_id: apiKeyId, secret_hash: hashSecret(secret) })
        return apiKeyId
      },
      hasPower: (running) => reads(running, acme.name, formatApiKey(environment, platform, apiKeyId, secret)),
    }
  },
}

export const forgeries: readonly Forgery[] = [
  insertedMembership('joiner-bare', 'none'),
  insertedMembership('joiner-copied', 'of another row'),
  insertedMembership('joiner-zero', 'of zeros'),
  ownerRoleAdded,
  roleWidened,
  keyUnrevoked,
  keyGivenToOwner,
  keyInserted,
  copiedFromAnotherTenant,
  identityReplaced,
  accountEnabled,
  platformAdmin,
  platformKeyInserted,
]
