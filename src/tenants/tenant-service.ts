import { create } from '@bufbuild/protobuf'
import type { Clock } from '../base/clock.ts'
import { notFound, TenureError } from '../base/errors.ts'
import type { Ids } from '../base/ids.ts'
import {
  BatchGetTenantsResponseSchema,
  DeleteTenantResponseSchema,
  GetTenantResponseSchema,
  ListTenantsResponseSchema,
  ResumeTenantResponseSchema,
  SuspendTenantResponseSchema,
  TenantService,
  UndeleteTenantResponseSchema,
} from '../gen/tenure/v1/tenant_service_pb.ts'
import {
  type Call,
  contextOf,
  implement,
  pageBindingOf,
  type ServiceHandlers,
  type ServiceImplementation,
} from '../rpc/call.ts'
import type { Directory } from '../tenancy/directory.ts'
import { type ListSpec, listPage, type PageTokens } from '../tenancy/listing.ts'
import type { PlatformCapabilities } from '../tenancy/platform-capability.ts'
import type { Scopes } from '../tenancy/scope.ts'
import { beginTenantPurge } from './begin-purge.ts'
import { changeTenant } from './change-tenant.ts'
import { createTenant } from './create-tenant.ts'
import { assertUndeletable, type TenantPlacementRow, undeleteWindowMs } from './tenant.ts'
import type { TenantDirectory } from './tenant-directory.ts'
import { tenantToProto } from './tenant-proto.ts'
import { TenantHeadTable, TenantPlacementTable } from './tenant-table.ts'
import { updateTenant } from './update-tenant.ts'
import { WorkspaceTable } from './workspace-table.ts'

export interface TenantServiceParts {
  readonly directory: Directory
  readonly capabilities: PlatformCapabilities
  readonly tenants: TenantDirectory
  readonly scopes: Scopes
  readonly tokens: PageTokens
  readonly clock: Clock
  readonly ids: Ids
  readonly cells: readonly { readonly id: string; readonly region: string }[]
  /** There is a new operation to be done. */
  readonly wake: () => void
}

const listSpec: ListSpec = {
  tieBreak: 'slug',
  fields: {
    name: { property: 'slug', kind: 'text', order: true },
    state: {
      property: 'state',
      kind: 'word',
      filter: true,
      words: ['PROVISIONING', 'ACTIVE', 'SUSPENDED', 'DELETED'],
    },
    tier: { property: 'tier', kind: 'text', filter: true },
    region: { property: 'region', kind: 'text', filter: true },
    display_name: { property: 'displayName', kind: 'text', filter: true, order: true },
    create_time: { property: 'createTime', kind: 'time', filter: true, order: true },
  },
}

const notDeleted = { sql: 'row.state != :deleted', parameters: { deleted: 'DELETED' } }
/** Tombstones are shown to nobody. */
const notPurged = { sql: 'row.state != :purged', parameters: { purged: 'PURGED' } }

export function createTenantService(parts: TenantServiceParts): ServiceImplementation {
  return implement(TenantService, {
    createTenant: (request, call) => createTenant(parts, request, call),
    getTenant: async (_request, call) => create(GetTenantResponseSchema, { tenant: await readTenant(parts, call) }),
    ...listHandlers(parts),
    updateTenant: (request, call) => updateTenant(parts, request, call),
    ...stateHandlers(parts),
    purgeTenant: (request, call) => beginTenantPurge(parts, request, call),
  })
}

type TenantHandlers = ServiceHandlers<typeof TenantService>

function listHandlers(parts: TenantServiceParts): Pick<TenantHandlers, 'listTenants' | 'batchGetTenants'> {
  return {
    async listTenants(request, call) {
      const binding = pageBindingOf(call, [request.filter, request.orderBy, String(request.showDeleted)])
      const page = await parts.directory.read(parts.capabilities['tenant-directory'], (scope) =>
        listPage(
          scope.rows(TenantPlacementTable),
          listSpec,
          request,
          binding,
          parts.tokens,
          request.showDeleted ? [notPurged] : [notPurged, notDeleted],
        ),
      )
      return create(ListTenantsResponseSchema, {
        tenants: page.rows.map(tenantToProto),
        nextPageToken: page.nextPageToken,
      })
    },
    async batchGetTenants(request) {
      const found = await parts.directory.read(parts.capabilities['tenant-directory'], async (scope) => {
        const tenants: TenantPlacementRow[] = []
        for (const name of request.names) {
          const tenant = await scope.rows(TenantPlacementTable).find({ slug: name.slice('tenants/'.length) })
          if (tenant === undefined || tenant.state === 'PURGED') throw notFound()
          tenants.push(tenant)
        }
        return tenants
      })
      return create(BatchGetTenantsResponseSchema, { tenants: found.map(tenantToProto) })
    },
  }
}

/** The changes of a tenant's state; each says from which states it is possible. */
function stateHandlers(
  parts: TenantServiceParts,
): Pick<TenantHandlers, 'suspendTenant' | 'resumeTenant' | 'deleteTenant' | 'undeleteTenant'> {
  return {
    suspendTenant: (request, call) =>
      changeTenant(parts, request, call, SuspendTenantResponseSchema, {
        from: ['ACTIVE'],
        change: (_tenant, now) => ({
          state: 'SUSPENDED',
          suspensionMode: 'FULL',
          suspensionReason: request.reason,
          suspensionTime: now,
        }),
      }),
    resumeTenant: (request, call) =>
      changeTenant(parts, request, call, ResumeTenantResponseSchema, {
        from: ['SUSPENDED'],
        change: () => ({ state: 'ACTIVE', suspensionMode: 'NONE', suspensionReason: '', suspensionTime: null }),
      }),
    deleteTenant: (request, call) =>
      changeTenant(parts, request, call, DeleteTenantResponseSchema, {
        from: ['ACTIVE', 'SUSPENDED'],
        async change(_tenant, now, unit) {
          const orderBy = [{ property: 'slug', descending: false }]
          const left = await unit.rows(WorkspaceTable).page({ conditions: [notDeleted, notPurged], orderBy, limit: 1 })
          if (!request.force && left.length > 0) {
            throw new TenureError(
              'RESOURCE_IN_USE',
              'The tenant has workspaces. Delete them first, or set force to delete it with them.',
            )
          }
          return { state: 'DELETED', deleteTime: now, purgeTime: new Date(now.getTime() + undeleteWindowMs) }
        },
      }),
    undeleteTenant: (request, call) =>
      changeTenant(parts, request, call, UndeleteTenantResponseSchema, {
        from: ['DELETED'],
        change(tenant, now) {
          assertUndeletable(tenant.purgeTime, now)
          const state = tenant.suspensionMode === 'NONE' ? 'ACTIVE' : 'SUSPENDED'
          return { state, deleteTime: null, purgeTime: null }
        },
      }),
  }
}

async function readTenant(parts: TenantServiceParts, call: Call) {
  const context = contextOf(call)
  const row = await parts.scopes.read(context, (scope) => scope.rows(TenantHeadTable).find({}))
  if (row === undefined) throw notFound()
  return tenantToProto(row)
}
