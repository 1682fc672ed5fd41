import { chmodSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { create } from '@bufbuild/protobuf'
import { platformAdminTemplate } from './access/engine/role-templates.ts'
import { TenureError } from './base/errors.ts'
import { nilUuid } from './base/ids.ts'
import { StartError } from './base/start-error.ts'
import type { Config } from './config/config.ts'
import { apiKeyPrefix, formatApiKey, hashSecret } from './credentials/api-key.ts'
import { platformApiKeyRows } from './credentials/api-key-store.ts'
import { CreateApiKeyResponseSchema } from './gen/tenure/v1/api_key_service_pb.ts'
import { platformServiceAccountRows } from './people/service-account-store.ts'
import type { Platform } from './platform.ts'
import type { Runtime } from './server.ts'
import type { PlatformUnit } from './tenancy/directory.ts'
import type { PlatformReadScope } from './tenancy/platform-scope.ts'

const rootSlug = 'root'

interface NewKey {
  readonly apiKeyId: string
  readonly secret: Buffer
  readonly environment: string
}

/**
 * Makes `serviceAccounts/root` if there is no such account yet, and a key for it if it has none that is not revoked: the
 * way back in for whoever owns the machine. The key's text is written to the root key file before the transaction begins,
 * and taken away again when it fails: a key that nobody has seen must not exist. Answers whether it made one.
 */
export function bootstrapRootKey(platform: Platform, runtime: Runtime, config: Config): Promise<boolean> {
  // Of two at once one makes the key, and the other finds it made.
  return platform.storage.alone(() => makeRootKey(platform, runtime, config))
}

async function makeRootKey({ directory, capabilities }: Platform, runtime: Runtime, config: Config): Promise<boolean> {
  const capability = capabilities['platform-principals']
  const { keys } = await directory.read(capability, readRoot)
  if (keys > 0) return false
  const secret = Buffer.alloc(32)
  runtime.random(secret)
  const key: NewKey = { apiKeyId: runtime.ids.next(), secret, environment: config.environment }
  const serviceAccountId = runtime.ids.next()
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
  writeRootKey(config.rootKeyFile, formatApiKey(config.environment, nilUuid, key.apiKeyId, secret))
  try {
    await directory.write(capability, actor, mutation, async (unit) => {
      await insertRoot(unit, key, serviceAccountId)
      return create(CreateApiKeyResponseSchema, { revision: unit.revision })
    })
  } catch (error) {
    // While the database is away nobody knows whether the key was made; then its text must not be lost.
    if (!(error instanceof TenureError && error.code === 'UNAVAILABLE')) rmSync(config.rootKeyFile, { force: true })
    throw error
  }
  return true
}

async function readRoot(scope: PlatformReadScope) {
  const account = await platformServiceAccountRows(scope).find({ slug: rootSlug })
  const ownerId = account?.serviceAccountId
  const keys = ownerId === undefined ? 0 : await platformApiKeyRows(scope).count({ ownerId, state: 'ACTIVE' })
  return { account, keys }
}

async function insertRoot(
  unit: PlatformUnit,
  { apiKeyId, secret, environment }: NewKey,
  newAccountId: string,
): Promise<void> {
  const { account } = await readRoot(unit)
  const serviceAccountId = account?.serviceAccountId ?? newAccountId
  const common = { version: 1, createTime: unit.now, updateTime: unit.now }
  if (account === undefined) {
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
    prefix: apiKeyPrefix(environment, apiKeyId),
    permissions: [],
    state: 'ACTIVE',
    expireTime: null,
  })
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
