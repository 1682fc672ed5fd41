import { notFound } from '../base/errors.ts'
import { type TenantId, tenantLevel, type WorkspaceId } from '../base/ids.ts'
import { type PlatformCapability, platformBindingOf } from './platform-capability.ts'
import type { Actor, TenantContext } from './tenant-context.ts'

/** What a long operation knows of the tenant it works in. */
export interface JobPlace {
  readonly tenantId: string
  readonly tenantSlug: string
  /** Nothing: the tenant itself. */
  readonly workspace?: { readonly workspaceId: string; readonly slug: string }
  /** Who asked for the operation: its writes are theirs. */
  readonly actor: Actor
}

/** Of the head, as it is read for the job. */
interface HeadPart {
  readonly region: string
  readonly tier: string
  readonly placementEpoch: number
  readonly revision: number
}

const made = new WeakSet<TenantContext>()

/**
 * The context of a job. Who asked for the operation was admitted when it was made, in the transaction that made it; the
 * job goes on when they have lost their place since, and no unit of work asks for them again.
 */
export function jobContext(
  capability: PlatformCapability<'operations'>,
  place: JobPlace,
  head: HeadPart | undefined,
): TenantContext {
  platformBindingOf(capability)
  if (head === undefined) throw notFound()
  const context = Object.freeze({
    tenantId: place.tenantId as TenantId,
    tenantSlug: place.tenantSlug,
    workspaceId: (place.workspace?.workspaceId ?? tenantLevel) as WorkspaceId,
    workspaceSlug: place.workspace?.slug ?? '',
    region: head.region,
    tier: head.tier,
    placementEpoch: head.placementEpoch,
    revision: head.revision,
    actor: place.actor,
  })
  made.add(context)
  return context
}

export function isJobContext(context: TenantContext): boolean {
  return made.has(context)
}
