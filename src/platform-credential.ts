import { create } from '@bufbuild/protobuf'
import { platformAdminTemplate } from './access/engine/role-templates.ts'
import { nilUuid } from './base/ids.ts'
import { apiKeyPrefix, formatApiKey, hashSecret } from './credentials/api-key.ts'
import { platformApiKeyRows } from './credentials/api-key-store.ts'
import { CreateApiKeyResponseSchema } from './gen/tenure/v1/api_key_service_pb.ts'
import { platformServiceAccountRows } from './people/service-account-store.ts'
import type { Platform } from './platform.ts'
import type { Runtime } from './server.ts'
import type { PlatformUnit } from './tenancy/directory.ts'
import type { Actor } from './tenancy/tenant-context.ts'

/** A key of a platform administrator that the server makes for itself or its owner, before it is stored. */
export interface NewPlatformKey {
  readonly apiKeyId: string
  readonly secret: Buffer
  /** Whole, as it is sent. */
  readonly text: string
}

export interface PlatformAccount {
  readonly slug: string
  readonly displayName: string
}

/** Of the key's row. */
export interface PlatformKeyWords {
  readonly environment: string
  readonly displayName: string
  readonly expireTime: Date | null
}

export function newPlatformKey(environment: string, { ids, random }: Pick<Runtime, 'ids' | 'random'>): NewPlatformKey {
  const secret = Buffer.alloc(32)
  random(secret)
  const apiKeyId = ids.next()
  return { apiKeyId, secret, text: formatApiKey(environment, nilUuid, apiKeyId, secret) }
}

/** One unit of work of the directory on such a key. */
export async function writePlatformKey(
  { directory, capabilities }: Platform,
  actor: Actor,
  event: string,
  { slug }: PlatformAccount,
  work: (unit: PlatformUnit) => Promise<void>,
): Promise<void> {
  const mutation = {
    ...{ event, target: `serviceAccounts/${slug}`, idempotency: undefined },
    ...{ response: CreateApiKeyResponseSchema, validateOnly: false },
  }
  await directory.write(capabilities['platform-principals'], actor, mutation, async (unit) => {
    await work(unit)
    return create(CreateApiKeyResponseSchema, { revision: unit.revision })
  })
}

/** Stores a key of the account, which is made if it is not there. */
export async function insertPlatformKey(
  unit: PlatformUnit,
  ids: Runtime['ids'],
  { slug, displayName }: PlatformAccount,
  { apiKeyId, secret }: NewPlatformKey,
  words: PlatformKeyWords,
): Promise<void> {
  const accounts = platformServiceAccountRows(unit)
  const common = { version: 1, createTime: unit.now, updateTime: unit.now }
  const found = await accounts.findGenuine({ slug })
  const serviceAccountId = found?.serviceAccountId ?? ids.next()
  if (found === undefined) {
    // An account that was not written by Tenure grants nothing, and must not keep out who owns the machine.
    const forged = await accounts.find({ slug })
    if (forged !== undefined) await accounts.delete(forged.serviceAccountId)
    const roles = [platformAdminTemplate]
    await accounts.insert({ ...common, serviceAccountId, slug, displayName, state: 'ACTIVE', roles })
  }
  await platformApiKeyRows(unit).insert({
    ...{ ...common, apiKeyId, displayName: words.displayName, ownerId: serviceAccountId },
    ...{ secretHash: hashSecret(secret), prefix: apiKeyPrefix(words.environment, apiKeyId), permissions: [] },
    ...{ state: 'ACTIVE', expireTime: words.expireTime },
  })
}
