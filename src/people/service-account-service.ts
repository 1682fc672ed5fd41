import { create, type DescMessage, type MessageInitShape, type MessageShape } from '@bufbuild/protobuf'
import { invalidField, notFound, TenureError } from '../base/errors.ts'
import { checkEtag } from '../base/etag.ts'
import type { Ids } from '../base/ids.ts'
import { lastSegment } from '../base/resource-name.ts'
import { slugFromUid } from '../base/slug.ts'
import { fieldsToUpdate } from '../base/update-mask.ts'
import type { ServiceAccount } from '../gen/tenure/v1/service_account_pb.ts'
import {
  CreateServiceAccountResponseSchema,
  DeleteServiceAccountResponseSchema,
  DisableServiceAccountResponseSchema,
  EnableServiceAccountResponseSchema,
  GetServiceAccountResponseSchema,
  ListServiceAccountsResponseSchema,
  ServiceAccountService,
  type UpdateServiceAccountRequest,
  UpdateServiceAccountResponseSchema,
} from '../gen/tenure/v1/service_account_service_pb.ts'
import { type Call, implement, pageBindingOf, type ServiceImplementation } from '../rpc/call.ts'
import type { Demands } from '../rpc/ports.ts'
import { type ListSpec, listPage, type PageTokens } from '../tenancy/listing.ts'
import {
  type AccountHomes,
  type AccountRow,
  type AccountUnit,
  readAccounts,
  writeAccount,
} from './service-account-home.ts'
import { serviceAccountName, serviceAccountToProto } from './service-account-proto.ts'

export interface ServiceAccountServiceParts extends AccountHomes {
  readonly tokens: PageTokens
  readonly ids: Ids
  readonly demands: Demands
}

const listSpec: ListSpec = {
  tieBreak: 'slug',
  fields: {
    name: { property: 'slug', kind: 'text', order: true },
    state: { property: 'state', kind: 'word', filter: true, words: ['ACTIVE', 'DISABLED'] },
    display_name: { property: 'displayName', kind: 'text', order: true },
    create_time: { property: 'createTime', kind: 'time', filter: true, order: true },
  },
}

export function createServiceAccountService(parts: ServiceAccountServiceParts): ServiceImplementation {
  return implement(ServiceAccountService, {
    createServiceAccount(request, call) {
      const id = request.serviceAccountId
      const target = serviceAccountName(tenantOf(call), id)
      const options = { target, validateOnly: request.validateOnly }
      return writeAccount(parts, call, CreateServiceAccountResponseSchema, options, async (unit) => {
        const row = await insertAccount(parts, unit, call, request.serviceAccount, id)
        return create(CreateServiceAccountResponseSchema, answer(call, unit, row))
      })
    },
    async getServiceAccount(request, call) {
      const row = await readAccounts(parts, call, (rows) => rows.find({ slug: lastSegment(request.name) }))
      if (row === undefined) throw notFound()
      return create(GetServiceAccountResponseSchema, {
        serviceAccount: serviceAccountToProto(tenantOf(call), row, row.roles),
      })
    },
    async listServiceAccounts(request, call) {
      const binding = pageBindingOf(call, [request.parent, request.filter, request.orderBy])
      const page = await readAccounts(parts, call, (rows) => listPage(rows, listSpec, request, binding, parts.tokens))
      return create(ListServiceAccountsResponseSchema, {
        serviceAccounts: page.rows.map((row) => serviceAccountToProto(tenantOf(call), row, row.roles)),
        nextPageToken: page.nextPageToken,
      })
    },
    updateServiceAccount: (request, call) => updateAccount(parts, request, call),
    disableServiceAccount: (request, call) =>
      changeState(parts, request, call, DisableServiceAccountResponseSchema, 'DISABLED'),
    enableServiceAccount: (request, call) =>
      changeState(parts, request, call, EnableServiceAccountResponseSchema, 'ACTIVE'),
    deleteServiceAccount: (request, call) =>
      writeAccount(parts, call, DeleteServiceAccountResponseSchema, { target: request.name }, async (unit) => {
        const row = await findAccount(unit, request)
        await unit.remove(row, request.force)
        return create(DeleteServiceAccountResponseSchema, answer(call, unit, row))
      }),
  })
}

async function insertAccount(
  parts: ServiceAccountServiceParts,
  unit: AccountUnit,
  call: Call,
  account: ServiceAccount | undefined,
  id: string,
): Promise<AccountRow> {
  const serviceAccountId = parts.ids.next()
  const slug = id === '' ? slugFromUid('account', serviceAccountId) : id
  await unit.assertNeverUsed(slug)
  if ((await unit.find(slug)) !== undefined) {
    throw new TenureError(
      'ALREADY_EXISTS',
      `There is a service account ${JSON.stringify(slug)} already. Choose another name.`,
    )
  }
  const row: AccountRow = {
    serviceAccountId,
    slug,
    displayName: account?.displayName ?? '',
    state: 'ACTIVE',
    roles: account?.roles ?? [],
    version: 1,
    createTime: unit.now,
    updateTime: unit.now,
  }
  unit.target(serviceAccountName(tenantOf(call), slug))
  await unit.insert(row)
  return row
}

async function updateAccount(parts: ServiceAccountServiceParts, request: UpdateServiceAccountRequest, call: Call) {
  const account = request.serviceAccount
  if (account === undefined || account.name === '') throw invalidField('service_account.name', 'must be set')
  const fields = fieldsToUpdate(request.updateMask?.paths ?? [], ['display_name', 'roles'], {
    display_name: account.displayName !== '',
    roles: account.roles.length > 0,
  })
  const options = { target: account.name, validateOnly: request.validateOnly }
  return writeAccount(parts, call, UpdateServiceAccountResponseSchema, options, async (unit) => {
    const found = await unit.find(lastSegment(account.name))
    if (found === undefined && request.allowMissing) {
      await parts.demands.demand(call, call.context, 'serviceAccounts.create')
      const row = await insertAccount(parts, unit, call, account, lastSegment(account.name))
      return create(UpdateServiceAccountResponseSchema, answer(call, unit, row))
    }
    if (found === undefined) throw notFound()
    checkEtag(account.etag, found.serviceAccountId, found.version)
    unit.note('fields', [...fields].sort())
    const row = await writeRow(unit, found, {
      ...(fields.has('display_name') ? { displayName: account.displayName } : {}),
      ...(fields.has('roles') ? { roles: account.roles } : {}),
    })
    return create(UpdateServiceAccountResponseSchema, answer(call, unit, row))
  })
}

function changeState<O extends DescMessage>(
  parts: ServiceAccountServiceParts,
  request: { readonly name: string; readonly etag: string },
  call: Call,
  response: O,
  state: AccountRow['state'],
): Promise<MessageShape<O>> {
  return writeAccount(parts, call, response, { target: request.name }, async (unit) => {
    const found = await findAccount(unit, request)
    if (found.state === state) {
      throw new TenureError('INVALID_STATE', `The service account is ${state} already.`, { metadata: { state } })
    }
    const row = await writeRow(unit, found, { state })
    await unit.assertMaySwitch(row)
    return create(response, answer(call, unit, row) as unknown as MessageInitShape<O>)
  })
}

async function writeRow(unit: AccountUnit, found: AccountRow, changes: Partial<AccountRow>): Promise<AccountRow> {
  const written = { ...changes, version: found.version + 1, updateTime: unit.now }
  await unit.update(found.serviceAccountId, written)
  return { ...found, ...written }
}

async function findAccount(unit: AccountUnit, request: { readonly name: string; readonly etag: string }) {
  const found = await unit.find(lastSegment(request.name))
  if (found === undefined) throw notFound()
  checkEtag(request.etag, found.serviceAccountId, found.version)
  return found
}

function answer(call: Call, unit: AccountUnit, row: AccountRow) {
  return { serviceAccount: serviceAccountToProto(tenantOf(call), row, row.roles), revision: unit.revision }
}

function tenantOf(call: Call): string {
  return call.context?.tenantSlug ?? ''
}
