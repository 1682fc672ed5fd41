import type { Message } from '@bufbuild/protobuf'
import { Tenant_SuspensionMode } from '../../src/gen/tenure/v1/tenant_pb.ts'
import { type CreateTenantResponse, TenantService } from '../../src/gen/tenure/v1/tenant_service_pb.ts'
import { type CreateWorkspaceResponse, WorkspaceService } from '../../src/gen/tenure/v1/workspace_service_pb.ts'
import type { Chance } from './crash-chance.ts'
import { callOf } from './walk-client.ts'
import { placeIn, type WalkTenant, type WalkWorkspace, withThing } from './walk-model.ts'
import { type Make, makers, type WalkWrite } from './walk-writes.ts'

const textOf = (tenant: Pick<WalkTenant, 'number'>, what: string, number: number) =>
  `${what} ${number} ~t${tenant.number}~`

export function createTenant(number: number): { readonly call: WalkWrite['call']; first(answer: Message): WalkTenant } {
  const tenantId = `walk-${number}x`
  const displayName = textOf({ number }, 'Tenant', 0)
  return {
    call: callOf(TenantService.method.createTenant, { tenantId, tenant: { displayName } }),
    first: (answer) => ({
      ...{ number, name: `tenants/${tenantId}`, uid: (answer as CreateTenantResponse).tenant?.uid ?? '', displayName },
      ...{ state: 'ACTIVE', workspaces: new Map(), people: new Map(), roles: new Map() },
      ...{ memberships: new Map(), keys: new Map(), secrets: new Map() },
    }),
  }
}

export function createWorkspace(tenant: WalkTenant, slug: string): WalkWrite {
  const displayName = textOf(tenant, slug, 0)
  const request = { parent: tenant.name, workspaceId: slug, workspace: { displayName } }
  return {
    tenant: tenant.number,
    call: callOf(WorkspaceService.method.createWorkspace, request),
    apply(before, answer) {
      const uid = (answer as CreateWorkspaceResponse).workspace?.uid ?? ''
      return withThing(before, 'workspaces', slug, { slug, uid, displayName, state: 'ACTIVE' })
    },
  }
}

const { archiveWorkspace, unarchiveWorkspace, deleteWorkspace, undeleteWorkspace } = WorkspaceService.method

type WorkspaceState = WalkWorkspace['state']
type Turn = readonly [(name: string) => WalkWrite['call'], WorkspaceState]

/** What can be done with a workspace, and what it is then. */
const turns: Readonly<Record<WorkspaceState, readonly Turn[]>> = {
  ACTIVE: [
    [(name) => callOf(archiveWorkspace, { name }), 'ARCHIVED'],
    [(name) => callOf(deleteWorkspace, { name }), 'DELETED'],
  ],
  ARCHIVED: [
    [(name) => callOf(unarchiveWorkspace, { name }), 'ACTIVE'],
    [(name) => callOf(deleteWorkspace, { name }), 'DELETED'],
  ],
  DELETED: [[(name) => callOf(undeleteWorkspace, { name }), 'ACTIVE']],
}

/** Few, so that much is asked about each. */
const mostWorkspaces = 6

const changeWorkspace: Make = (tenant, chance, next) => {
  if (tenant.workspaces.size < mostWorkspaces && chance.isTrue(0.2)) return createWorkspace(tenant, `w-${next()}`)
  const workspace = chance.pick([...tenant.workspaces.values()])
  const { slug } = workspace
  const name = placeIn(tenant, slug)
  if (slug === 'prod' || chance.isTrue(0.3)) {
    const displayName = textOf(tenant, slug, next())
    const request = { workspace: { name, displayName }, updateMask: { paths: ['display_name'] } }
    if (workspace.state !== 'ACTIVE') return undefined
    return {
      call: callOf(WorkspaceService.method.updateWorkspace, request),
      apply: (before) => withThing(before, 'workspaces', slug, { ...workspace, displayName }),
    }
  }
  const [callFor, state] = chance.pick(turns[workspace.state])
  return {
    call: callFor(name),
    apply: (before) => withThing(before, 'workspaces', slug, { ...workspace, state }),
  }
}

/** Only some are ever suspended or deleted: nothing else can be changed in them meanwhile. */
const firstThatMayEnd = 3

const changeTenant: Make = (tenant, chance, next) => {
  const { name } = tenant
  if (tenant.number < firstThatMayEnd || chance.isTrue(0.1)) {
    const displayName = textOf(tenant, 'Tenant', next())
    const request = { tenant: { name, displayName }, updateMask: { paths: ['display_name'] } }
    return {
      call: callOf(TenantService.method.updateTenant, request),
      apply: (before) => ({ ...before, displayName }),
    }
  }
  if (chance.isTrue(0.5)) {
    return {
      call: callOf(TenantService.method.deleteTenant, { name, force: true }),
      apply: (before) => ({ ...before, state: 'DELETED' }),
    }
  }
  const request = { name, mode: Tenant_SuspensionMode.FULL, reason: 'unpaid' }
  return {
    call: callOf(TenantService.method.suspendTenant, request),
    apply: (before) => ({ ...before, state: 'SUSPENDED' }),
  }
}

function backToLife({ name, state }: WalkTenant): Omit<WalkWrite, 'tenant'> {
  return {
    call:
      state === 'DELETED'
        ? callOf(TenantService.method.undeleteTenant, { name })
        : callOf(TenantService.method.resumeTenant, { name }),
    apply: (before) => ({ ...before, state: 'ACTIVE' }),
  }
}

const weighted = [...makers, [7, changeWorkspace] as const, [6, changeTenant] as const].flatMap(([weight, make]) =>
  Array.from({ length: weight }, () => make),
)

/** A change that must be taken now. */
export function drawWrite(tenant: WalkTenant, chance: Chance, next: () => number): WalkWrite {
  if (tenant.state !== 'ACTIVE') return { tenant: tenant.number, ...backToLife(tenant) }
  for (;;) {
    const made = chance.pick(weighted)(tenant, chance, next)
    if (made !== undefined) return { tenant: tenant.number, ...made }
  }
}
