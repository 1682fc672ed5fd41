import { create, type DescMessage, type MessageInitShape, type MessageShape } from '@bufbuild/protobuf'
import { invalidField, TenureError } from '../base/errors.ts'
import type { Ids } from '../base/ids.ts'
import { checkSlug } from '../base/slug.ts'
import { fieldsToUpdate } from '../base/update-mask.ts'
import {
  type CreateSecretRequest,
  CreateSecretResponseSchema,
  type DeleteSecretRequest,
  DeleteSecretResponseSchema,
  GetSecretResponseSchema,
  ListSecretsResponseSchema,
  SecretService,
  type UpdateSecretRequest,
  UpdateSecretResponseSchema,
} from '../gen/tenure/v1/secret_service_pb.ts'
import { type Call, contextOf, implement, mutationOf, pageBindingOf, type ServiceImplementation } from '../rpc/call.ts'
import { type ListSpec, listPage, type PageTokens } from '../tenancy/listing.ts'
import { assertNeverUsed, retireName } from '../tenancy/retired-names.ts'
import type { Scopes } from '../tenancy/scope.ts'
import type { Unit } from '../tenancy/tenant-unit.ts'
import type { SecretRow } from './secret.ts'
import { secretName, secretToProto } from './secret-proto.ts'
import { findSecret, secretRows, secretVersionRows } from './secret-store.ts'
import { createVersionHandlers, type VersionParts } from './version-handlers.ts'

export interface SecretServiceParts extends VersionParts {
  readonly scopes: Scopes
  readonly tokens: PageTokens
  readonly ids: Ids
}

const listSpec: ListSpec = {
  tieBreak: 'slug',
  fields: {
    name: { property: 'slug', kind: 'text', order: true },
    create_time: { property: 'createTime', kind: 'time', filter: true, order: true },
  },
}

export function createSecretService(parts: SecretServiceParts): ServiceImplementation {
  return implement(SecretService, {
    ...createVersionHandlers(parts),
    createSecret: (request, call) => createSecret(parts, request, call),
    async getSecret(request, call) {
      const context = contextOf(call)
      const row = await parts.scopes.read(context, (scope) => findSecret(scope, request.name))
      return create(GetSecretResponseSchema, { secret: secretToProto(row, context) })
    },
    async listSecrets(request, call) {
      const context = contextOf(call)
      const binding = pageBindingOf(call, [request.parent, request.filter, request.orderBy])
      const page = await parts.scopes.read(context, (scope) =>
        listPage(secretRows(scope), listSpec, request, binding, parts.tokens),
      )
      return create(ListSecretsResponseSchema, {
        secrets: page.rows.map((row) => secretToProto(row, context)),
        nextPageToken: page.nextPageToken,
      })
    },
    updateSecret: (request, call) => updateSecret(parts, request, call),
    deleteSecret: (request, call) => deleteSecret(parts, request, call),
  })
}

function createSecret(parts: SecretServiceParts, request: CreateSecretRequest, call: Call) {
  const { secretId: slug, validateOnly } = request
  checkSlug('secret_id', slug)
  const context = contextOf(call)
  const mutation = mutationOf(call, CreateSecretResponseSchema, { target: secretName(context, slug), validateOnly })
  return parts.scopes.writeVolume(context, mutation, async (unit) => {
    await assertNeverUsed(unit, 'secrets', slug)
    if ((await secretRows(unit).find({ slug })) !== undefined) {
      throw new TenureError('ALREADY_EXISTS', `There is a secret ${JSON.stringify(slug)} already. Choose another name.`)
    }
    const row: SecretRow = {
      tenantId: context.tenantId,
      workspaceId: context.workspaceId,
      secretId: parts.ids.next(),
      slug,
      labels: request.secret?.labels ?? {},
      latestVersion: 0,
      versionCount: 0,
      version: 1,
      createTime: unit.now,
      updateTime: unit.now,
    }
    await secretRows(unit).insert(row)
    return answer(CreateSecretResponseSchema, unit, row)
  })
}

async function updateSecret(parts: SecretServiceParts, request: UpdateSecretRequest, call: Call) {
  const { secret, validateOnly } = request
  if (secret === undefined || secret.name === '') throw invalidField('secret.name', 'must be set')
  const fields = fieldsToUpdate(request.updateMask?.paths ?? [], ['labels'], {
    labels: Object.keys(secret.labels).length > 0,
  })
  const mutation = mutationOf(call, UpdateSecretResponseSchema, { target: secret.name, validateOnly })
  return parts.scopes.writeVolume(contextOf(call), mutation, async (unit) => {
    const found = await findSecret(unit, secret.name, secret.etag)
    unit.note('fields', [...fields].sort())
    const changes = {
      ...(fields.has('labels') ? { labels: secret.labels } : {}),
      version: found.version + 1,
      updateTime: unit.now,
    }
    await secretRows(unit).update(found.secretId, changes)
    return answer(UpdateSecretResponseSchema, unit, { ...found, ...changes })
  })
}

function deleteSecret(parts: SecretServiceParts, { name, etag }: DeleteSecretRequest, call: Call) {
  const mutation = mutationOf(call, DeleteSecretResponseSchema, { target: name })
  return parts.scopes.writeVolume(contextOf(call), mutation, async (unit) => {
    const found = await findSecret(unit, name, etag)
    unit.note('versions', await secretVersionRows(unit).deleteAll({ secretId: found.secretId }))
    await secretRows(unit).delete(found.secretId)
    await retireName(unit, 'secrets', found.slug)
    return answer(DeleteSecretResponseSchema, unit, found)
  })
}

function answer<O extends DescMessage>(response: O, unit: Unit, row: SecretRow): MessageShape<O> {
  const fields = { secret: secretToProto(row, unit.context), revision: unit.revision }
  return create(response, fields as unknown as MessageInitShape<O>)
}
