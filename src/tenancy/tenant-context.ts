import type { TenantId, WorkspaceId } from '../base/ids.ts'

/** Who acts, as the audit chain records it. */
export interface Actor {
  /** Resource name of the principal. */
  readonly principal: string
  /** Resource name of the credential. */
  readonly credential: string
  readonly requestId: string
  /** As the server saw it; empty when unknown. */
  readonly clientIp: string
}

/**
 * Where a call acts: the immutable record that everything below the pipeline gets, and the only thing a scope opens for.
 * Built once per call from what was authorized, never looked up again, so that what was checked is what is acted on.
 */
export interface TenantContext {
  readonly tenantId: TenantId
  readonly tenantSlug: string
  /** `tenantLevel` (the nil UUID) where the call acts on the tenant itself. */
  readonly workspaceId: WorkspaceId
  /** Empty at tenant level. */
  readonly workspaceSlug: string
  readonly region: string
  readonly tier: string
  readonly placementEpoch: number
  /** The revision the caller was admitted at. A unit of work that finds the head beyond it has the admission checked again. */
  readonly revision: number
  readonly actor: Actor
}
