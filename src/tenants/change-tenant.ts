import { create, type DescMessage, type MessageInitShape, type MessageShape } from '@bufbuild/protobuf'
import { notFound, TenureError } from '../base/errors.ts'
import { checkEtag } from '../base/etag.ts'
import { type Call, contextOf, mutationOf } from '../rpc/call.ts'
import type { Unit } from '../tenancy/tenant-unit.ts'
import type { TenantFields, TenantHeadRow, TenantState } from './tenant.ts'
import { tenantToProto } from './tenant-proto.ts'
import type { TenantServiceParts } from './tenant-service.ts'
import { TenantHeadTable } from './tenant-table.ts'

type Changes = Partial<TenantFields>

export interface TenantChange {
  /** The states it is possible in; others are INVALID_STATE. */
  readonly from: readonly TenantState[]
  change(tenant: TenantHeadRow, now: Date, unit: Unit): Changes | Promise<Changes>
}

interface ChangeRequest {
  readonly name: string
  readonly etag: string
  readonly validateOnly?: boolean
}

/** One change of a tenant's head: in its cell under the head's lock, then in the directory's projection. */
export async function changeTenant<O extends DescMessage>(
  parts: TenantServiceParts,
  request: ChangeRequest,
  call: Call,
  response: O,
  { from, change }: TenantChange,
): Promise<MessageShape<O>> {
  const { validateOnly = false } = request
  const mutation = {
    ...mutationOf(call, response, { target: request.name, validateOnly }),
    onDeletedTenant: from.includes('DELETED'),
  }
  const answer = await parts.scopes.write(contextOf(call), mutation, async (unit) => {
    const tenant = await unit.rows(TenantHeadTable).find({})
    if (tenant === undefined) throw notFound()
    checkEtag(request.etag, tenant.tenantId, tenant.version)
    if (!from.includes(tenant.state)) {
      throw new TenureError(
        'INVALID_STATE',
        `The tenant is ${tenant.state}; this is possible only from ${from.join(' or ')}.`,
        {
          metadata: { state: tenant.state },
        },
      )
    }
    const changed = await applyChange(unit, tenant, await change(tenant, unit.now, unit))
    return create(response, {
      tenant: tenantToProto(changed),
      revision: unit.revision,
    } as unknown as MessageInitShape<O>)
  })
  if (!validateOnly) await projectHead(parts, call)
  return answer
}

/** After every committed change, and after a repeated request id: the first time may have failed between cell and directory. */
async function projectHead(parts: TenantServiceParts, call: Call): Promise<void> {
  await parts.tenants.project(() => parts.scopes.read(contextOf(call), (scope) => scope.rows(TenantHeadTable).find({})))
}

async function applyChange(unit: Unit, tenant: TenantHeadRow, changes: Changes): Promise<TenantHeadRow> {
  const written = { ...changes, version: tenant.version + 1, updateTime: unit.now }
  await unit.rows(TenantHeadTable).update(tenant.tenantId, written)
  return { ...tenant, ...written }
}
