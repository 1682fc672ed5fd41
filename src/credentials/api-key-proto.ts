import { create } from '@bufbuild/protobuf'
import { timestampFromDate } from '@bufbuild/protobuf/wkt'
import { etagOf } from '../base/etag.ts'
import { nameIn, type Place } from '../base/resource-name.ts'
import { type ApiKey, ApiKey_State, ApiKeySchema } from '../gen/tenure/v1/api_key_pb.ts'
import type { ApiKeyRow } from './api-key.ts'

/** A key as both homes know it. */
export type KeyRow = Omit<ApiKeyRow, 'tenantId' | 'workspaceId'>

export function apiKeyToProto(place: Place, row: KeyRow, ownerName: string, nowMs: number): ApiKey {
  return create(ApiKeySchema, {
    name: nameIn(place, 'apiKeys', row.apiKeyId),
    uid: row.apiKeyId,
    etag: etagOf(row.apiKeyId, row.version),
    createTime: timestampFromDate(row.createTime),
    updateTime: timestampFromDate(row.updateTime),
    displayName: row.displayName,
    owner: row.ownerKind === 'user' ? { case: 'user', value: ownerName } : { case: 'serviceAccount', value: ownerName },
    permissions: [...row.permissions],
    ...(row.expireTime === null ? {} : { expireTime: timestampFromDate(row.expireTime) }),
    prefix: row.prefix,
    ...(row.lastUsedTime === null ? {} : { lastUsedTime: timestampFromDate(row.lastUsedTime) }),
    state: ApiKey_State[stateOf(row, nowMs)],
  })
}

function stateOf(row: KeyRow, nowMs: number): 'ACTIVE' | 'REVOKED' | 'EXPIRED' {
  if (row.state === 'REVOKED') return 'REVOKED'
  return row.expireTime !== null && row.expireTime.getTime() <= nowMs ? 'EXPIRED' : 'ACTIVE'
}
