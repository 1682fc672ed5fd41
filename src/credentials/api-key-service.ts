import { create } from '@bufbuild/protobuf'
import type { Grants } from '../access/grants.ts'
import { canaryAccountRefusal, keepsCanaries } from '../base/canaries.ts'
import type { Clock } from '../base/clock.ts'
import { invalidField, notFound, TenureError } from '../base/errors.ts'
import { checkEtag } from '../base/etag.ts'
import { expireTimeFrom } from '../base/expire-time.ts'
import { type Ids, nilUuid, type RandomFill } from '../base/ids.ts'
import { lastSegment, nameIn } from '../base/resource-name.ts'
import type { ApiKey } from '../gen/tenure/v1/api_key_pb.ts'
import {
  ApiKeyService,
  type CreateApiKeyRequest,
  CreateApiKeyResponseSchema,
  GetApiKeyResponseSchema,
  ListApiKeysResponseSchema,
  RevokeApiKeyResponseSchema,
} from '../gen/tenure/v1/api_key_service_pb.ts'
import { type Call, implement, mutationOf, pageBindingOf, type ServiceImplementation } from '../rpc/call.ts'
import { type ListSpec, listPage, type PageTokens } from '../tenancy/listing.ts'
import { apiKeyPrefix, formatApiKey, hashSecret } from './api-key.ts'
import { type KeyHomes, type KeyOwner, type KeyScope, readKeys, writeKeys } from './api-key-home.ts'
import { apiKeyToProto, type KeyRow } from './api-key-proto.ts'

export interface ApiKeyServiceParts extends KeyHomes {
  readonly tokens: PageTokens
  readonly ids: Ids
  readonly clock: Clock
  readonly random: RandomFill
  readonly grants: Grants
  /** The part of every key that says which installation it is for: a key of another one is refused unread. */
  readonly environment: string
}

const secretBytes = 32

function listSpecFor(keys: KeyScope): ListSpec {
  const resolve = (kind: KeyOwner['kind']) => async (name: string) =>
    (await keys.ownerNamed(kind, name).catch(() => undefined))?.id
  return {
    tieBreak: 'apiKeyId',
    fields: {
      state: { property: 'state', kind: 'word', filter: true, words: ['ACTIVE', 'REVOKED'] },
      user: { property: 'ownerId', kind: 'reference', filter: true, resolve: resolve('user') },
      service_account: { property: 'ownerId', kind: 'reference', filter: true, resolve: resolve('service_account') },
      create_time: { property: 'createTime', kind: 'time', filter: true, order: true },
    },
  }
}

export function createApiKeyService(parts: ApiKeyServiceParts): ServiceImplementation {
  return implement(ApiKeyService, {
    createApiKey: (request, call) => createApiKey(parts, request, call),
    async getApiKey(request, call) {
      const apiKey = await readKeys(parts, call, async (keys) => {
        const row = await keys.rows.find({ apiKeyId: lastSegment(request.name) })
        if (row === undefined) throw notFound()
        return toProto(parts, keys, row)
      })
      return create(GetApiKeyResponseSchema, { apiKey })
    },
    listApiKeys(request, call) {
      const binding = pageBindingOf(call, [request.parent, request.filter, request.orderBy])
      return readKeys(parts, call, async (keys) => {
        const page = await listPage(keys.rows, listSpecFor(keys), request, binding, parts.tokens)
        const apiKeys: ApiKey[] = []
        for (const row of page.rows) apiKeys.push(await toProto(parts, keys, row))
        return create(ListApiKeysResponseSchema, { apiKeys, nextPageToken: page.nextPageToken })
      })
    },
    revokeApiKey(request, call) {
      const mutation = mutationOf(call, RevokeApiKeyResponseSchema, { target: request.name })
      return writeKeys(parts, call, mutation, async (unit) => {
        const row = await unit.rows.find({ apiKeyId: lastSegment(request.name) })
        if (row === undefined) throw notFound()
        checkEtag(request.etag, row.apiKeyId, row.version)
        const written = { state: 'REVOKED' as const, version: row.version + 1, updateTime: unit.now }
        if (unit.rows.isGenuine(row)) {
          // On the platform there is nobody above: who holds less must not be able to lock the root account out.
          if (call.context === undefined) await parts.grants.assertMayActFor(call, undefined, { id: row.ownerId }, [])
          await unit.rows.update(row.apiKeyId, written)
        } else {
          // Nobody is let in by it; marked as revoked, it would be one that Tenure wrote.
          await unit.rows.delete(row.apiKeyId)
          unit.note('forged', true)
        }
        const apiKey = await toProto(parts, unit, { ...row, ...written })
        return create(RevokeApiKeyResponseSchema, { apiKey, revision: unit.revision })
      })
    },
  })
}

async function createApiKey(parts: ApiKeyServiceParts, request: CreateApiKeyRequest, call: Call) {
  const { apiKey } = request
  if (apiKey?.owner.case === undefined) throw invalidField('api_key.owner', 'must name a user or a service account')
  const kind = apiKey.owner.case === 'user' ? 'user' : 'service_account'
  const ownerName = apiKey.owner.value
  await parts.grants.followCatalogue(apiKey.permissions)
  parts.grants.assertCatalogued(apiKey.permissions)
  // Its keys are made by the look itself, and live in its memory alone.
  if (keepsCanaries(ownerName)) throw new TenureError('SYSTEM_RESOURCE', canaryAccountRefusal)
  const mutation = {
    ...mutationOf(call, CreateApiKeyResponseSchema, { target: `${request.parent}/apiKeys` }),
    replay: (answer: ReturnType<typeof withheld>) => withheld(answer.apiKey, answer.revision),
  }
  return writeKeys(parts, call, mutation, async (unit) => {
    const owner = await unit.ownerNamed(kind, ownerName)
    // The key acts for its owner, so whoever makes it must hold whatever it will be able to do.
    await parts.grants.assertMayActFor(call, call.context, owner, apiKey.permissions)
    const secret = Buffer.alloc(secretBytes)
    parts.random(secret)
    const row = keyRow(parts, unit.now, apiKey, owner, secret)
    await unit.insert(row)
    unit.target(nameIn(unit.place, 'apiKeys', row.apiKeyId))
    unit.note('owner', ownerName)
    unit.note('permissions', apiKey.permissions)
    return create(CreateApiKeyResponseSchema, {
      apiKey: apiKeyToProto(unit.place, row, ownerName, unit.now.getTime()),
      secret: formatApiKey(parts.environment, call.context?.tenantId ?? nilUuid, row.apiKeyId, secret),
      revision: unit.revision,
    })
  })
}

/** What a repeated request id gets: the key, but not its secret, which is nowhere kept. */
function withheld(apiKey: ApiKey | undefined, revision: string) {
  return create(CreateApiKeyResponseSchema, {
    ...(apiKey === undefined ? {} : { apiKey }),
    secretWithheld: true,
    revision,
  })
}

function keyRow(parts: ApiKeyServiceParts, now: Date, apiKey: ApiKey, owner: KeyOwner, secret: Uint8Array): KeyRow {
  const expireTime = expireTimeFrom('api_key.expire_time', apiKey.expireTime, now.getTime())
  const apiKeyId = parts.ids.next()
  return {
    apiKeyId,
    displayName: apiKey.displayName,
    ownerKind: owner.kind,
    ownerId: owner.id,
    secretHash: hashSecret(secret),
    prefix: apiKeyPrefix(parts.environment, apiKeyId),
    permissions: apiKey.permissions,
    state: 'ACTIVE',
    expireTime,
    lastUsedTime: null,
    version: 1,
    createTime: now,
    updateTime: now,
  }
}

async function toProto(parts: ApiKeyServiceParts, keys: KeyScope, row: KeyRow): Promise<ApiKey> {
  const ownerName = await keys.ownerName({ kind: row.ownerKind, id: row.ownerId })
  return apiKeyToProto(keys.place, row, ownerName, parts.clock.nowMs())
}
