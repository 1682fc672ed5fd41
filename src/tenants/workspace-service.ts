import { create, type DescMessage, type MessageInitShape, type MessageShape } from '@bufbuild/protobuf'
import { timestampFromDate } from '@bufbuild/protobuf/wkt'
import { notFound, TenureError } from '../base/errors.ts'
import { checkEtag, etagOf } from '../base/etag.ts'
import type { Ids } from '../base/ids.ts'
import { checkSlug } from '../base/slug.ts'
import { fieldsToUpdate } from '../base/update-mask.ts'
import { type Workspace, Workspace_State, WorkspaceSchema } from '../gen/tenure/v1/workspace_pb.ts'
import {
  ArchiveWorkspaceResponseSchema,
  type CreateWorkspaceRequest,
  CreateWorkspaceResponseSchema,
  DeleteWorkspaceResponseSchema,
  GetWorkspaceResponseSchema,
  ListWorkspacesResponseSchema,
  UnarchiveWorkspaceResponseSchema,
  UndeleteWorkspaceResponseSchema,
  type UpdateWorkspaceRequest,
  UpdateWorkspaceResponseSchema,
  WorkspaceService,
} from '../gen/tenure/v1/workspace_service_pb.ts'
import { type Call, contextOf, implement, mutationOf, pageBindingOf, type ServiceImplementation } from '../rpc/call.ts'
import { type ListSpec, listPage, type PageTokens } from '../tenancy/listing.ts'
import { assertNeverUsed, nameRetired } from '../tenancy/retired-names.ts'
import type { Scopes } from '../tenancy/scope.ts'
import type { TenantContext } from '../tenancy/tenant-context.ts'
import type { Unit } from '../tenancy/tenant-unit.ts'
import { beginWorkspacePurge } from './begin-purge.ts'
import { assertUndeletable, undeleteWindowMs } from './tenant.ts'
import { isLiving, type WorkspaceRow, type WorkspaceState, workspaceNames } from './workspace.ts'
import { WorkspaceTable } from './workspace-table.ts'

export interface WorkspaceServiceParts {
  readonly scopes: Scopes
  readonly tokens: PageTokens
  readonly ids: Ids
  /** There is a new operation to be done. */
  readonly wake: () => void
}

const listSpec: ListSpec = {
  tieBreak: 'slug',
  fields: {
    name: { property: 'slug', kind: 'text', order: true },
    state: { property: 'state', kind: 'word', filter: true, words: ['ACTIVE', 'ARCHIVED', 'DELETED'] },
    display_name: { property: 'displayName', kind: 'text', filter: true, order: true },
    create_time: { property: 'createTime', kind: 'time', filter: true, order: true },
  },
}

/** What is being purged is shown to nobody. */
const notPurged = { sql: 'row.state != :purged', parameters: { purged: 'PURGED' } }
const notDeleted = { sql: 'row.state != :deleted', parameters: { deleted: 'DELETED' } }

export function createWorkspaceService(parts: WorkspaceServiceParts): ServiceImplementation {
  return implement(WorkspaceService, {
    createWorkspace: (request, call) => createWorkspace(parts, request, call),
    async getWorkspace(_request, call) {
      const context = contextOf(call)
      const row = await parts.scopes.read(context, (scope) =>
        scope.rows(WorkspaceTable).find({ workspaceId: context.workspaceId }),
      )
      if (row === undefined || !isLiving(row)) throw notFound()
      return create(GetWorkspaceResponseSchema, { workspace: workspaceToProto(row, context) })
    },
    async listWorkspaces(request, call) {
      const context = contextOf(call)
      const binding = pageBindingOf(call, [
        request.parent,
        request.filter,
        request.orderBy,
        String(request.showDeleted),
      ])
      const fixed = request.showDeleted ? [notPurged] : [notPurged, notDeleted]
      const page = await parts.scopes.read(context, (scope) =>
        listPage(scope.rows(WorkspaceTable), listSpec, request, binding, parts.tokens, fixed),
      )
      return create(ListWorkspacesResponseSchema, {
        workspaces: page.rows.map((row) => workspaceToProto(row, context)),
        nextPageToken: page.nextPageToken,
      })
    },
    updateWorkspace: (request, call) => updateWorkspace(parts, request, call),
    archiveWorkspace: (request, call) =>
      changeState(parts, request, call, ArchiveWorkspaceResponseSchema, {
        from: ['ACTIVE'],
        change: () => ({ state: 'ARCHIVED' }),
      }),
    unarchiveWorkspace: (request, call) =>
      changeState(parts, request, call, UnarchiveWorkspaceResponseSchema, {
        from: ['ARCHIVED'],
        change: () => ({ state: 'ACTIVE' }),
      }),
    deleteWorkspace: (request, call) =>
      changeState(parts, request, call, DeleteWorkspaceResponseSchema, {
        from: ['ACTIVE', 'ARCHIVED'],
        change: (now) => ({
          state: 'DELETED',
          deleteTime: now,
          purgeTime: new Date(now.getTime() + undeleteWindowMs),
        }),
      }),
    purgeWorkspace: (request, call) => beginWorkspacePurge(parts, request, call),
    undeleteWorkspace: (request, call) =>
      changeState(parts, request, call, UndeleteWorkspaceResponseSchema, {
        from: ['DELETED'],
        change(now, _unit, found) {
          assertUndeletable(found.purgeTime, now)
          return { state: 'ACTIVE', deleteTime: null, purgeTime: null }
        },
      }),
  })
}

async function createWorkspace(parts: WorkspaceServiceParts, request: CreateWorkspaceRequest, call: Call) {
  checkSlug('workspace_id', request.workspaceId)
  const context = contextOf(call)
  const mutation = mutationOf(call, CreateWorkspaceResponseSchema, {
    target: `${request.parent}/workspaces/${request.workspaceId}`,
    validateOnly: request.validateOnly,
  })
  return parts.scopes.write(context, mutation, async (unit) => {
    const rows = unit.rows(WorkspaceTable)
    const found = await rows.find({ slug: request.workspaceId })
    if (found !== undefined) throw nameTaken(found)
    await assertNeverUsed(unit, workspaceNames, request.workspaceId)
    const row: WorkspaceRow = {
      tenantId: context.tenantId,
      workspaceId: parts.ids.next(),
      slug: request.workspaceId,
      displayName: request.workspace?.displayName ?? '',
      state: 'ACTIVE',
      labels: request.workspace?.labels ?? {},
      version: 1,
      createTime: unit.now,
      updateTime: unit.now,
      deleteTime: null,
      purgeTime: null,
    }
    await rows.insert(row)
    return create(CreateWorkspaceResponseSchema, {
      workspace: workspaceToProto(row, context),
      revision: unit.revision,
    })
  })
}

function nameTaken({ slug, state }: WorkspaceRow): TenureError {
  return state === 'DELETED' || state === 'PURGED'
    ? nameRetired(slug)
    : new TenureError('ALREADY_EXISTS', `There is a workspace ${JSON.stringify(slug)} already. Choose another name.`)
}

async function updateWorkspace(parts: WorkspaceServiceParts, request: UpdateWorkspaceRequest, call: Call) {
  const { workspace } = request
  if (workspace === undefined) throw notFound()
  const fields = fieldsToUpdate(request.updateMask?.paths ?? [], ['display_name', 'labels'], {
    display_name: workspace.displayName !== '',
    labels: Object.keys(workspace.labels).length > 0,
  })
  return changeState(
    parts,
    { name: workspace.name, etag: workspace.etag, validateOnly: request.validateOnly },
    call,
    UpdateWorkspaceResponseSchema,
    {
      from: ['ACTIVE', 'ARCHIVED'],
      change: (_now, unit) => {
        unit.note('fields', [...fields].sort())
        return {
          ...(fields.has('display_name') ? { displayName: workspace.displayName } : {}),
          ...(fields.has('labels') ? { labels: workspace.labels } : {}),
        }
      },
    },
  )
}

interface WorkspaceChange {
  /** The states it is possible in; others are INVALID_STATE. */
  readonly from: readonly WorkspaceState[]
  change(now: Date, unit: Unit, found: WorkspaceRow): Partial<WorkspaceRow>
}

async function changeState<O extends DescMessage>(
  parts: WorkspaceServiceParts,
  request: { readonly name: string; readonly etag: string; readonly validateOnly?: boolean },
  call: Call,
  response: O,
  { from, change }: WorkspaceChange,
): Promise<MessageShape<O>> {
  const context = contextOf(call)
  const mutation = mutationOf(call, response, { target: request.name, validateOnly: request.validateOnly ?? false })
  return parts.scopes.write(context, mutation, async (unit) => {
    const rows = unit.rows(WorkspaceTable)
    const found = await rows.find({ workspaceId: context.workspaceId })
    if (found === undefined || !isLiving(found)) throw notFound()
    checkEtag(request.etag, found.workspaceId, found.version)
    if (!from.includes(found.state)) {
      throw new TenureError(
        'INVALID_STATE',
        `The workspace is ${found.state}; this is possible only from ${from.join(' or ')}.`,
        {
          metadata: { state: found.state },
        },
      )
    }
    const changes = { ...change(unit.now, unit, found), version: found.version + 1, updateTime: unit.now }
    await rows.update(found.workspaceId, changes)
    const workspace = workspaceToProto({ ...found, ...changes }, context)
    return create(response, { workspace, revision: unit.revision } as unknown as MessageInitShape<O>)
  })
}

function workspaceToProto(row: WorkspaceRow, context: TenantContext): Workspace {
  if (row.state === 'PURGED') throw new Error('a tombstone is shown to nobody')
  return create(WorkspaceSchema, {
    name: `tenants/${context.tenantSlug}/workspaces/${row.slug}`,
    uid: row.workspaceId,
    etag: etagOf(row.workspaceId, row.version),
    createTime: timestampFromDate(row.createTime),
    updateTime: timestampFromDate(row.updateTime),
    ...(row.deleteTime === null ? {} : { deleteTime: timestampFromDate(row.deleteTime) }),
    ...(row.purgeTime === null ? {} : { purgeTime: timestampFromDate(row.purgeTime) }),
    displayName: row.displayName,
    state: Workspace_State[row.state],
    tier: context.tier,
    region: context.region,
    labels: { ...row.labels },
  })
}
