import { create, type DescMessage, type MessageInitShape, type MessageShape } from '@bufbuild/protobuf'
import { TenureError } from '../base/errors.ts'
import { checkEtag } from '../base/etag.ts'
import { parseName } from '../base/resource-name.ts'
import {
  DestroySecretVersionResponseSchema,
  DisableSecretVersionResponseSchema,
  EnableSecretVersionResponseSchema,
  ListSecretVersionsResponseSchema,
  type SecretService,
} from '../gen/tenure/v1/secret_service_pb.ts'
import { type Call, contextOf, mutationOf, pageBindingOf, type ServiceHandlers } from '../rpc/call.ts'
import { type ListSpec, listPage, type PageTokens } from '../tenancy/listing.ts'
import type { Scopes } from '../tenancy/scope.ts'
import { type AccessParts, accessSecretVersion } from './access-version.ts'
import { type AddParts, addSecretVersion } from './add-version.ts'
import { versionToProto } from './secret-proto.ts'
import { findSecret, findVersion, secretVersionRows } from './secret-store.ts'
import type { SecretVersionRow, SecretVersionState } from './secret-version.ts'

export interface VersionParts extends AddParts, AccessParts {
  readonly scopes: Scopes
  readonly tokens: PageTokens
}

type VersionHandlers = Pick<
  ServiceHandlers<typeof SecretService>,
  | 'addSecretVersion'
  | 'accessSecretVersion'
  | 'listSecretVersions'
  | 'enableSecretVersion'
  | 'disableSecretVersion'
  | 'destroySecretVersion'
>

const listSpec: ListSpec = {
  tieBreak: 'number',
  // A page of values would be 64 MiB, read for nothing.
  without: ['envelope'],
  fields: {
    name: { property: 'number', kind: 'number', order: true },
    state: { property: 'state', kind: 'word', filter: true, words: ['ENABLED', 'DISABLED', 'DESTROYED'] },
    create_time: { property: 'createTime', kind: 'time', filter: true, order: true },
  },
}

export function createVersionHandlers(parts: VersionParts): VersionHandlers {
  return {
    addSecretVersion: (request, call) => addSecretVersion(parts, request, call),
    accessSecretVersion: (request, call) => accessSecretVersion(parts, request, call),
    async listSecretVersions(request, call) {
      const context = contextOf(call)
      const slug = parseName(request.parent)?.id ?? ''
      const binding = pageBindingOf(call, [request.parent, request.filter, request.orderBy])
      const page = await parts.scopes.read(context, async (scope) => {
        const { secretId } = await findSecret(scope, request.parent)
        const fixed = [{ sql: 'row.secretId = :secret', parameters: { secret: secretId } }]
        return listPage(secretVersionRows(scope), listSpec, request, binding, parts.tokens, fixed)
      })
      return create(ListSecretVersionsResponseSchema, {
        secretVersions: page.rows.map((row) => versionToProto(row, slug, context)),
        nextPageToken: page.nextPageToken,
      })
    },
    enableSecretVersion: (request, call) =>
      changeState(parts, request, call, EnableSecretVersionResponseSchema, {
        from: ['DISABLED'],
        change: () => ({ state: 'ENABLED' }),
      }),
    disableSecretVersion: (request, call) =>
      changeState(parts, request, call, DisableSecretVersionResponseSchema, {
        from: ['ENABLED'],
        change: () => ({ state: 'DISABLED' }),
      }),
    destroySecretVersion: (request, call) =>
      changeState(parts, request, call, DestroySecretVersionResponseSchema, {
        from: ['ENABLED', 'DISABLED'],
        change: (now) => ({ state: 'DESTROYED', envelope: null, destroyTime: now }),
      }),
  }
}

interface VersionChange {
  /** The states it is possible in; others are INVALID_STATE. */
  readonly from: readonly SecretVersionState[]
  change(now: Date): Partial<SecretVersionRow>
}

function changeState<O extends DescMessage>(
  parts: VersionParts,
  request: { readonly name: string; readonly etag: string },
  call: Call,
  response: O,
  { from, change }: VersionChange,
): Promise<MessageShape<O>> {
  const context = contextOf(call)
  const mutation = mutationOf(call, response, { target: request.name })
  return parts.scopes.writeVolume(context, mutation, async (unit) => {
    const { secret, version: found } = await findVersion(unit, request.name)
    checkEtag(request.etag, found.secretVersionId, found.version)
    if (!from.includes(found.state)) {
      throw new TenureError(
        'INVALID_STATE',
        `The version is ${found.state}; this is possible only from ${from.join(' or ')}.`,
        { metadata: { state: found.state } },
      )
    }
    const changes = { ...change(unit.now), version: found.version + 1, updateTime: unit.now }
    await secretVersionRows(unit).update(found.secretVersionId, changes)
    const secretVersion = versionToProto({ ...found, ...changes }, secret.slug, context)
    return create(response, { secretVersion, revision: unit.revision } as unknown as MessageInitShape<O>)
  })
}
