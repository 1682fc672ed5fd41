import { create, type MessageShape } from '@bufbuild/protobuf'
import { isCanary, keepsCanaries } from '../base/canaries.ts'
import { invalidField, TenureError } from '../base/errors.ts'
import { encodeRevision } from '../base/revision.ts'
import { checkSlug } from '../base/slug.ts'
import { Tenant_Isolation } from '../gen/tenure/v1/tenant_pb.ts'
import { type CreateTenantRequest, CreateTenantResponseSchema } from '../gen/tenure/v1/tenant_service_pb.ts'
import { actorOf, type Call, callerOf, mutationOf } from '../rpc/call.ts'
import { firstRevision } from '../tenancy/provisioning.ts'
import { nameRetired } from '../tenancy/retired-names.ts'
import { defaultPlan, defaultTier, type TenantPlacementRow } from './tenant.ts'
import { tenantToProto } from './tenant-proto.ts'
import type { TenantServiceParts } from './tenant-service.ts'
import { TenantPlacementTable } from './tenant-table.ts'

/**
 * Two databases take part, so the directory goes first: once it has the placement, the name and the answer, the creation
 * can only roll forward, by this call, by its repetition, or at the next start.
 */
export async function createTenant(
  parts: TenantServiceParts,
  request: CreateTenantRequest,
  call: Call,
): Promise<MessageShape<typeof CreateTenantResponseSchema>> {
  const isOurs = isCanary(request.tenantId) && keepsCanaries(callerOf(call).principal)
  if (!isOurs) checkSlug('tenant_id', request.tenantId)
  const placement = placementFrom(parts, request, call)
  const mutation = mutationOf(call, CreateTenantResponseSchema, {
    target: `tenants/${request.tenantId}`,
    validateOnly: request.validateOnly,
  })
  const answer = await parts.directory.write(
    parts.capabilities['tenant-directory'],
    actorOf(call),
    mutation,
    async (unit) => {
      const rows = unit.rows(TenantPlacementTable)
      const found = await rows.find({ slug: request.tenantId })
      if (found !== undefined) throw nameTaken(found, request.tenantId)
      await rows.insert(placement)
      return create(CreateTenantResponseSchema, {
        tenant: tenantToProto({ ...placement, state: 'ACTIVE' }),
        revision: firstRevisionOf(placement, unit.head.revision + 1),
      })
    },
  )
  // A repeated request id answers the uid of the first call; that tenant is the one to finish.
  if (!request.validateOnly && answer.tenant !== undefined) await parts.tenants.complete(answer.tenant.uid)
  return answer
}

function nameTaken(found: TenantPlacementRow, slug: string): TenureError {
  return found.state === 'DELETED' || found.state === 'PURGED'
    ? nameRetired(slug)
    : new TenureError('ALREADY_EXISTS', `There is a tenant ${JSON.stringify(slug)} already. Choose another name.`)
}

function firstRevisionOf(placement: TenantPlacementRow, directoryRevision: number): string {
  return encodeRevision({
    directoryRevision,
    tenantId: placement.tenantId,
    timelineId: placement.provisioning?.timelineId ?? '',
    placementEpoch: placement.placementEpoch,
    tenantRevision: firstRevision,
  })
}

function placementFrom(parts: TenantServiceParts, request: CreateTenantRequest, call: Call): TenantPlacementRow {
  const { tenant, initialOwner } = request
  if (tenant?.isolation === Tenant_Isolation.DEDICATED) {
    throw invalidField('tenant.isolation', 'only ISOLATION_SHARED is offered so far')
  }
  const cell = parts.cells.find(({ region }) => !tenant?.region || region === tenant.region)
  if (cell === undefined) {
    const regions = [...new Set(parts.cells.map(({ region }) => region))].join(', ')
    throw invalidField('tenant.region', `no cell is in ${JSON.stringify(tenant?.region)}; there are ${regions}`)
  }
  const now = new Date(parts.clock.nowMs())
  return {
    tenantId: parts.ids.next(),
    slug: request.tenantId,
    displayName: tenant?.displayName ?? '',
    state: 'PROVISIONING',
    suspensionMode: 'NONE',
    suspensionReason: '',
    suspensionTime: null,
    plan: tenant?.plan || defaultPlan,
    tier: tenant?.tier || defaultTier,
    region: cell.region,
    isolation: 'SHARED',
    cellId: cell.id,
    labels: tenant?.labels ?? {},
    version: 1,
    createTime: now,
    updateTime: now,
    deleteTime: null,
    purgeTime: null,
    placementEpoch: 1,
    provisioning: {
      timelineId: parts.ids.next(),
      initialOwner:
        initialOwner === undefined
          ? null
          : { issuer: initialOwner.issuer, subject: initialOwner.subject, email: initialOwner.email },
      actor: actorOf(call),
    },
  }
}
