import { create } from '@bufbuild/protobuf'
import { timestampFromDate } from '@bufbuild/protobuf/wkt'
import { notFound, TenureError } from '../base/errors.ts'
import { checkEtag, etagOf } from '../base/etag.ts'
import { type Permission, Permission_Effect, PermissionSchema } from '../gen/tenure/v1/permission_pb.ts'
import {
  type CreatePermissionRequest,
  CreatePermissionResponseSchema,
  DeletePermissionResponseSchema,
  GetPermissionResponseSchema,
  ListPermissionsResponseSchema,
  type RoleService,
} from '../gen/tenure/v1/role_service_pb.ts'
import { actorOf, type Call, mutationOf, pageBindingOf, type ServiceHandlers } from '../rpc/call.ts'
import { type ListSpec, listPage } from '../tenancy/listing.ts'
import { assertNeverUsedOnPlatform, retirePlatformName } from '../tenancy/retired-names.ts'
import { isOwnNoun } from './own-permissions.ts'
import { ownService, type PermissionRow } from './permission.ts'
import { permissionRows } from './permission-store.ts'
import type { RoleServiceParts } from './role-service.ts'

type PermissionHandlers = Pick<
  ServiceHandlers<typeof RoleService>,
  'createPermission' | 'getPermission' | 'listPermissions' | 'deletePermission'
>

const listSpec: ListSpec = {
  tieBreak: 'permissionId',
  fields: {
    name: { property: 'permissionId', kind: 'text', order: true },
    service: { property: 'service', kind: 'text', filter: true },
    effect: { property: 'effect', kind: 'word', filter: true, words: ['READ', 'WRITE'] },
    create_time: { property: 'createTime', kind: 'time', filter: true, order: true },
  },
}

/** The catalogue of the platform: what can be granted at all. */
export function permissionHandlers(parts: RoleServiceParts): PermissionHandlers {
  const capability = parts.capabilities['permission-catalogue']
  return {
    createPermission: (request, call) => createPermission(parts, request, call),
    async getPermission(request) {
      const row = await parts.directory.read(capability, (scope) =>
        permissionRows(scope).find({ permissionId: idOf(request.name) }),
      )
      if (row === undefined) throw notFound()
      return create(GetPermissionResponseSchema, { permission: permissionToProto(row) })
    },
    listPermissions(request, call) {
      const binding = pageBindingOf(call, [request.filter, request.orderBy])
      return parts.directory.read(capability, async (scope) => {
        const page = await listPage(permissionRows(scope), listSpec, request, binding, parts.tokens)
        return create(ListPermissionsResponseSchema, {
          permissions: page.rows.map(permissionToProto),
          nextPageToken: page.nextPageToken,
        })
      })
    },
    deletePermission(request, call) {
      const mutation = mutationOf(call, DeletePermissionResponseSchema, { target: request.name })
      return parts.directory.write(capability, actorOf(call), mutation, async (unit) => {
        const row = await permissionRows(unit).find({ permissionId: idOf(request.name) })
        if (row === undefined) throw notFound()
        checkEtag(request.etag, row.uid, row.version)
        if (row.service === ownService) {
          throw new TenureError('SYSTEM_RESOURCE', "Tenure's own permissions are built in and cannot be deleted.")
        }
        await permissionRows(unit).delete(row.permissionId)
        await retirePlatformName(unit, 'permissions', row.permissionId)
        return create(DeletePermissionResponseSchema, { permission: permissionToProto(row), revision: unit.revision })
      })
    },
  }
}

function idOf(name: string): string {
  return name.slice('permissions/'.length)
}

function permissionToProto(row: PermissionRow): Permission {
  return create(PermissionSchema, {
    name: `permissions/${row.permissionId}`,
    uid: row.uid,
    etag: etagOf(row.uid, row.version),
    createTime: timestampFromDate(row.createTime),
    updateTime: timestampFromDate(row.updateTime),
    description: row.description,
    effect: Permission_Effect[row.effect],
    service: row.service,
  })
}

async function createPermission(parts: RoleServiceParts, request: CreatePermissionRequest, call: Call) {
  const capability = parts.capabilities['permission-catalogue']
  const id = request.permissionId
  const mutation = mutationOf(call, CreatePermissionResponseSchema, {
    target: `permissions/${id}`,
    validateOnly: request.validateOnly,
  })
  return parts.directory.write(capability, actorOf(call), mutation, async (unit) => {
    await assertNeverUsedOnPlatform(unit, 'permissions', id)
    const service = request.permission?.service || (id.split('.')[0] ?? '')
    if (parts.catalogue.has(id) || (await permissionRows(unit).find({ permissionId: id })) !== undefined) {
      throw new TenureError(
        'ALREADY_EXISTS',
        `There is a permission ${JSON.stringify(id)} already. Choose another name.`,
      )
    }
    if (service === ownService || isOwnNoun(id)) {
      throw new TenureError(
        'SYSTEM_RESOURCE',
        "The service tenure and the nouns of Tenure's own API are taken. Name the noun and the service of your product.",
      )
    }
    const row: PermissionRow = {
      permissionId: id,
      uid: parts.ids.next(),
      description: request.permission?.description ?? '',
      effect: request.permission?.effect === Permission_Effect.READ ? 'READ' : 'WRITE',
      service,
      version: 1,
      createTime: unit.now,
      updateTime: unit.now,
    }
    await permissionRows(unit).insert(row)
    return create(CreatePermissionResponseSchema, { permission: permissionToProto(row), revision: unit.revision })
  })
}
