import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { create } from '@bufbuild/protobuf'
import { platformAdminTemplate } from './access/engine/role-templates.ts'
import { nilUuid } from './base/ids.ts'
import { StartError } from './base/start-error.ts'
import type { Config } from './config/config.ts'
import { apiKeyPrefix, formatApiKey, hashSecret } from './credentials/api-key.ts'
import { platformApiKeyRows } from './credentials/api-key-store.ts'
import { CreateApiKeyResponseSchema } from './gen/tenure/v1/api_key_service_pb.ts'
import { platformServiceAccountRows } from './people/service-account-store.ts'
import type { Platform } from './platform.ts'
import type { Runtime } from './server.ts'

const rootSlug = 'root'

/**
 * Makes `serviceAccounts/root` if there is no such account yet, and a key for it if it has none that is not revoked: the
 * way back in for whoever owns the machine. The key's text is written to the root key
 * file before the transaction commits: a key that nobody has seen must not exist. Answers whether it made one.
 */
export async function bootstrapRootKey(platform: Platform, runtime: Runtime, config: Config): Promise<boolean> {
  const { directory, capabilities } = platform
  const capability = capabilities['platform-principals']
  const root = await directory.read(capability, async (scope) => {
    const account = await platformServiceAccountRows(scope).find({ slug: rootSlug })
    if (account === undefined) return undefined
    const keys = await platformApiKeyRows(scope).count({ ownerId: account.serviceAccountId, state: 'ACTIVE' })
    return { account, keys }
  })
  if (root !== undefined && root.keys > 0) return false
  const actor = {
    principal: 'serviceAccounts/root',
    credential: 'bootstrap',
    requestId: runtime.ids.next(),
    clientIp: '',
  }
  const mutation = {
    event: 'apiKeys.create',
    target: 'serviceAccounts/root',
    idempotency: undefined,
    response: CreateApiKeyResponseSchema,
    validateOnly: false,
  }
  await directory.write(capability, actor, mutation, async (unit) => {
    const serviceAccountId = root?.account.serviceAccountId ?? runtime.ids.next()
    const apiKeyId = runtime.ids.next()
    const secret = Buffer.alloc(32)
    runtime.random(secret)
    const common = { version: 1, createTime: unit.now, updateTime: unit.now }
    if (root === undefined) {
      await platformServiceAccountRows(unit).insert({
        ...common,
        serviceAccountId,
        slug: rootSlug,
        displayName: 'Root',
        state: 'ACTIVE',
        roles: [platformAdminTemplate],
      })
    }
    await platformApiKeyRows(unit).insert({
      ...common,
      apiKeyId,
      displayName: 'Root key',
      ownerId: serviceAccountId,
      secretHash: hashSecret(secret),
      prefix: apiKeyPrefix(config.environment, apiKeyId),
      permissions: [],
      state: 'ACTIVE',
      expireTime: null,
    })
    writeRootKey(config.rootKeyFile, formatApiKey(config.environment, nilUuid, apiKeyId, secret))
    return create(CreateApiKeyResponseSchema, { revision: unit.revision })
  })
  return true
}

function writeRootKey(file: string, key: string): void {
  if (existsSync(file)) {
    throw new StartError(
      `${file} exists already, but the database has no root key that is live. Move the file away: its key is revoked, or of another database.`,
    )
  }
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
    writeFileSync(file, `${key}\n`, { mode: 0o600, flag: 'wx' })
    chmodSync(file, 0o600)
  } catch {
    throw new StartError(`${file} cannot be written. Mend the permissions of its folder, or set TENURE_ROOT_KEY_FILE.`)
  }
}
