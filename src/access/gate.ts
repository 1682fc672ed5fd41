import type { Clock } from '../base/clock.ts'
import { notFound, permissionMissing, TenureError, tenantSuspended } from '../base/errors.ts'
import { platformTenantId, tenantLevel } from '../base/ids.ts'
import type { Place } from '../base/resource-name.ts'
import type { Caller } from '../rpc/call.ts'
import type { Demand, Gate } from '../rpc/ports.ts'
import type { Actor, TenantContext } from '../tenancy/tenant-context.ts'
import { decide, type Question } from './engine/decision.ts'
import type { WorkspaceFact } from './engine/facts.ts'
import type { TenantSnapshot } from './engine/tenant-snapshot.ts'
import type { Engines } from './engines.ts'
import { isOfPlatform } from './own-permissions.ts'
import { powerOfCaller } from './power.ts'
import type { Staleness } from './staleness.ts'

export interface AccessGate extends Gate {
  /** Admits again what was admitted at an older revision: called under the lock of the tenant's head. */
  readmit(context: TenantContext, revision: number): Promise<void>
}

interface Admission {
  readonly caller: Caller
  readonly place: Place
  readonly demand: Demand
}

export interface GateParts {
  readonly engines: Engines
  readonly clock: Clock
  readonly staleness: Staleness
  /** Resolves when what is known of the platform's principals is what is committed at this moment. */
  readonly reachPlatform: () => Promise<void>
}

export function createGate({ engines, clock, staleness, reachPlatform }: GateParts): AccessGate {
  /** Only of writes: what a unit of work may have to ask again. */
  const admissions = new WeakMap<TenantContext, Admission>()
  const remember = (context: TenantContext, admission: Admission): TenantContext => {
    if (admission.demand.write) admissions.set(context, admission)
    return context
  }
  const decideIn = (snapshot: TenantSnapshot | undefined, admission: Admission, actor: Actor) => {
    try {
      if (snapshot === undefined) throw notFound()
      staleness.assertFresh(admission.demand.permission)
      const workspace = admit(snapshot, admission, clock.nowMs())
      return remember(contextOf(snapshot, workspace, actor), admission)
    } catch (error) {
      if (isUnknownPlace(error, admission)) return undefined
      throw error
    }
  }
  const decidePlatform = (snapshot: TenantSnapshot, caller: Caller, permission: string): void => {
    staleness.assertFresh(permission)
    if (!decide(snapshot, questionOf(caller, '', permission), clock.nowMs()).allow)
      throw permissionMissing(permission, 'platform')
  }
  const admitPlatform = (caller: Caller, permission: string): void => {
    if (caller.tenantId !== platformTenantId) throw permissionMissing(permission, 'platform')
    decidePlatform(engines.platformSnapshot(), caller, permission)
  }
  // The writer before this one may have committed and not told the engine yet, or sit in another server. Memory is brought
  // up to date rather than asked beside: what the unit then gives away is measured by the same power.
  const readmitPlatform = async (caller: Caller, permission: string): Promise<void> => {
    if (caller.tenantId !== platformTenantId) throw permissionMissing(permission, 'platform')
    await reachPlatform()
    decidePlatform(engines.platformSnapshot(), caller, permission)
  }
  const admitAt = (caller: Caller, place: Place, demand: Demand, actor: Actor) => {
    const platform = caller.tenantId === platformTenantId
    if (platform) admitPlatform(caller, demand.permission)
    // Compared by name before anything is loaded: whatever another tenant holds, the answer does not depend on it.
    else if (place.tenant !== caller.tenantSlug) throw notFound()
    const found = platform ? engines.bySlug(place.tenant) : engines.of(caller.tenantId)
    const admission = { caller, place, demand }
    if (found instanceof Promise) return found.then((snapshot) => decideIn(snapshot, admission, actor))
    return decideIn(found, admission, actor)
  }
  return {
    admitPlatform,
    readmitPlatform,
    admit: admitAt,
    async readmit(context, revision) {
      const admission = admissions.get(context)
      if (admission === undefined)
        throw new Error('a unit of work was begun with a context that was not admitted to write')
      const { caller, place, demand } = admission
      if (caller.tenantId === platformTenantId) await readmitPlatform(caller, demand.permission)
      if (revision === context.revision) return
      await engines.tenants.atLeast(context.tenantId, revision)
      await admitAt(caller, place, demand, context.actor)
    },
  }
}

function isUnknownPlace(error: unknown, { caller, demand }: Admission): boolean {
  const answered = demand.unknownPlaceIsAnAnswer && caller.tenantId === platformTenantId
  return answered && error instanceof TenureError && error.reason === 'NOT_FOUND'
}

function questionOf(caller: Caller, workspace: string, permission: string): Question {
  return { subject: { kind: 'api_key', apiKeyId: caller.credentialId }, workspace, permission }
}

/** The workspace admitted to; undefined at tenant level. */
function admit(
  snapshot: TenantSnapshot,
  { caller, place, demand }: Admission,
  nowMs: number,
): WorkspaceFact | undefined {
  if (snapshot.tenant.state === 'PROVISIONING') throw notFound()
  const workspace = place.workspace === '' ? undefined : snapshot.workspaceBySlug(place.workspace)
  if (caller.tenantId !== platformTenantId) admitTenantCaller(snapshot, caller, place, demand, nowMs)
  if (place.workspace === '') return undefined
  if (workspace === undefined) throw notFound()
  if (!demand.workspaceItself) {
    if (workspace.state === 'DELETED') throw notFound()
    if (workspace.state === 'ARCHIVED' && demand.write) {
      throw new TenureError('WORKSPACE_ARCHIVED', 'The workspace is archived. Unarchive it first.')
    }
  }
  return workspace
}

function admitTenantCaller(
  snapshot: TenantSnapshot,
  caller: Caller,
  place: Place,
  demand: Demand,
  nowMs: number,
): void {
  const { permission } = demand
  const { reason } = decide(snapshot, questionOf(caller, place.workspace, permission), nowMs)
  if (reason === 'GRANTED') return
  // Whoever manages workspaces from the tenant does so for archived and deleted ones, and without a place in them.
  if (demand.workspaceItself && place.workspace !== '') {
    const atTenant = decide(snapshot, questionOf(caller, '', permission), nowMs).reason
    if (atTenant === 'GRANTED') return
    if (atTenant === 'TENANT_SUSPENDED') throw tenantSuspended()
  }
  switch (reason) {
    case 'TENANT_SUSPENDED':
    case 'TENANT_READ_ONLY':
      throw tenantSuspended()
    case 'WORKSPACE_ARCHIVED':
      admitToArchived(snapshot, caller, place, demand, nowMs)
      return
    case 'PERMISSION_MISSING':
    case 'PERMISSION_UNKNOWN':
      throw missing(permission)
    default:
      throw notFound()
  }
}

/** To a caller of a tenant, at a place of it. */
function missing(permission: string): TenureError {
  return permissionMissing(permission, isOfPlatform(permission) ? 'platform' : 'tenant')
}

/** An archived workspace can be looked at by those who could before, and its own state be changed. */
function admitToArchived(
  snapshot: TenantSnapshot,
  caller: Caller,
  place: Place,
  { permission, write, workspaceItself }: Demand,
  nowMs: number,
): void {
  if (write && !workspaceItself) {
    throw new TenureError('WORKSPACE_ARCHIVED', 'The workspace is archived. Unarchive it first.')
  }
  const index = snapshot.catalogue.indexOf(permission)
  const power = powerOfCaller(snapshot, caller, snapshot.workspaceBySlug(place.workspace), nowMs)
  if (index === undefined || !power.has(index)) throw missing(permission)
}

function contextOf(snapshot: TenantSnapshot, workspace: WorkspaceFact | undefined, actor: Actor): TenantContext {
  const { tenantId, slug, region, tier, placementEpoch } = snapshot.tenant
  return Object.freeze({
    tenantId,
    tenantSlug: slug,
    workspaceId: workspace?.workspaceId ?? tenantLevel,
    workspaceSlug: workspace?.slug ?? '',
    region,
    tier,
    placementEpoch,
    revision: snapshot.revision,
    actor,
  })
}
