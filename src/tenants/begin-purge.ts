import { create } from '@bufbuild/protobuf'
import type { Clock } from '../base/clock.ts'
import { notFound, TenureError } from '../base/errors.ts'
import { checkEtag } from '../base/etag.ts'
import { type Ids, platformTenantId } from '../base/ids.ts'
import {
  type PurgeTenantRequest,
  type PurgeTenantResponse,
  PurgeTenantResponseSchema,
} from '../gen/tenure/v1/tenant_service_pb.ts'
import {
  type PurgeWorkspaceRequest,
  type PurgeWorkspaceResponse,
  PurgeWorkspaceResponseSchema,
} from '../gen/tenure/v1/workspace_service_pb.ts'
import { operationToProto } from '../operations/operation-proto.ts'
import { beginOperation } from '../operations/operation-store.ts'
import { actorOf, type Call, contextOf, mutationOf } from '../rpc/call.ts'
import type { Directory } from '../tenancy/directory.ts'
import type { PlatformCapabilities } from '../tenancy/platform-capability.ts'
import type { Scopes } from '../tenancy/scope.ts'
import { purgeTenantKind } from './purge-tenant.ts'
import { purgeWorkspaceKind } from './purge-workspace.ts'
import { headRows } from './tenant-store.ts'
import { workspaceRows } from './workspace-store.ts'

export interface PurgeBeginnings {
  readonly scopes: Scopes
  readonly ids: Ids
  readonly wake: () => void
}

export interface TenantPurgeBeginnings extends PurgeBeginnings {
  readonly directory: Directory
  readonly capabilities: PlatformCapabilities
  readonly clock: Clock
}

/** The operation is the platform's: it outlives the tenant. What is read here is decided again by the job, under the lock. */
export async function beginTenantPurge(
  parts: TenantPurgeBeginnings,
  request: PurgeTenantRequest,
  call: Call,
): Promise<PurgeTenantResponse> {
  const context = contextOf(call)
  const head = await parts.scopes.read(context, (scope) => headRows(scope).find({}))
  if (head === undefined) throw notFound()
  checkEtag(request.etag, head.tenantId, head.version)
  assertDeleted('tenant', head.state)
  const mutation = mutationOf(call, PurgeTenantResponseSchema, { target: request.name })
  const answer = await parts.directory.write(
    parts.capabilities['platform-operations'],
    actorOf(call),
    mutation,
    async (unit) => {
      const row = await beginOperation(unit, {
        tenantId: platformTenantId,
        operationId: parts.ids.next(),
        ...{ kind: purgeTenantKind, target: request.name, actor: actorOf(call), now: unit.now },
        input: { tenantId: head.tenantId, slug: head.slug, version: head.version },
      })
      const operation = operationToProto(row, { tenant: '' })
      return create(PurgeTenantResponseSchema, { operation, revision: unit.revision })
    },
  )
  parts.wake()
  return answer
}

export async function beginWorkspacePurge(
  parts: PurgeBeginnings,
  request: PurgeWorkspaceRequest,
  call: Call,
): Promise<PurgeWorkspaceResponse> {
  const context = contextOf(call)
  const { workspaceId, tenantId, tenantSlug } = context
  const mutation = mutationOf(call, PurgeWorkspaceResponseSchema, { target: request.name })
  const answer = await parts.scopes.write(context, mutation, async (unit) => {
    const found = await workspaceRows(unit).find({ workspaceId })
    if (found === undefined) throw notFound()
    checkEtag(request.etag, workspaceId, found.version)
    assertDeleted('workspace', found.state)
    const row = await beginOperation(unit, {
      tenantId,
      operationId: parts.ids.next(),
      ...{ kind: purgeWorkspaceKind, target: request.name, actor: actorOf(call), now: unit.now },
      input: { workspaceId, slug: found.slug, tenantSlug, version: found.version },
    })
    const operation = operationToProto(row, { tenant: tenantSlug })
    return create(PurgeWorkspaceResponseSchema, { operation, revision: unit.revision })
  })
  parts.wake()
  return answer
}

function assertDeleted(what: 'tenant' | 'workspace', state: string): void {
  if (state === 'PURGED') throw notFound()
  if (state === 'DELETED') return
  throw new TenureError(
    'INVALID_STATE',
    `The ${what} is ${state}; only a deleted one can be purged. Delete it first.`,
    {
      metadata: { state },
    },
  )
}
