import { create } from '@bufbuild/protobuf'
import { timestampFromDate } from '@bufbuild/protobuf/wkt'
import { type SigningKey, SigningKey_State, SigningKeySchema } from '../gen/tenure/v1/signing_key_pb.ts'
import {
  GetJwksResponseSchema,
  ListSigningKeysResponseSchema,
  SigningKeyService,
} from '../gen/tenure/v1/signing_key_service_pb.ts'
import type { PublicJwk } from '../jwt/signing-key.ts'
import { implement, pageBindingOf, type ServiceImplementation } from '../rpc/call.ts'
import type { Directory } from '../tenancy/directory.ts'
import { type ListSpec, listPage, type PageTokens } from '../tenancy/listing.ts'
import type { PlatformCapabilities } from '../tenancy/platform-capability.ts'
import type { SigningKeyRow } from './signing-key.ts'
import { signingKeyRows } from './signing-key-store.ts'

export interface SigningKeyServiceParts {
  readonly directory: Directory
  readonly capabilities: PlatformCapabilities
  readonly tokens: PageTokens
  readonly signingKeys: { readonly published: readonly PublicJwk[] }
}

const listSpec: ListSpec = {
  tieBreak: 'kid',
  fields: {
    name: { property: 'kid', kind: 'text', order: true },
    create_time: { property: 'createTime', kind: 'time', order: true },
  },
}

export function createSigningKeyService(parts: SigningKeyServiceParts): ServiceImplementation {
  return implement(SigningKeyService, {
    async listSigningKeys(request, call) {
      const binding = pageBindingOf(call, [request.orderBy])
      const page = await parts.directory.read(parts.capabilities['signing-keys'], (scope) =>
        listPage(signingKeyRows(scope), listSpec, { ...request, filter: '' }, binding, parts.tokens),
      )
      return create(ListSigningKeysResponseSchema, {
        signingKeys: page.rows.map(signingKeyToProto),
        nextPageToken: page.nextPageToken,
      })
    },
    getJwks: () => create(GetJwksResponseSchema, { keys: [...parts.signingKeys.published] }),
  })
}

function signingKeyToProto(row: SigningKeyRow): SigningKey {
  return create(SigningKeySchema, {
    name: `signingKeys/${row.kid}`,
    uid: row.signingKeyId,
    createTime: timestampFromDate(row.createTime),
    ...(row.activateTime === null ? {} : { activateTime: timestampFromDate(row.activateTime) }),
    state: SigningKey_State[row.state],
    algorithm: row.algorithm,
  })
}
