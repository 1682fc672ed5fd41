import type { Place } from '../base/resource-name.ts'
import type { Actor, TenantContext } from '../tenancy/tenant-context.ts'
import type { AccessDetails, Call, Caller } from './call.ts'

/** Turns the text of an `authorization` header into a caller. */
export interface Authenticator {
  /**
   * Answers without a promise when the credential is known already: the hot path has no await.
   * Throws CREDENTIAL_INVALID for everything that is not a live credential, never saying which.
   */
  authenticate(authorization: string): Caller | Promise<Caller>
}

/** What a method demands of its caller at a place. */
export interface Demand {
  /** Bare; empty: a binding is enough. */
  readonly permission: string
  /** Whether the request names the workspace itself (`tenants/t/workspaces/w`) in a method that manages workspaces: then the permission at the tenant serves as well. */
  readonly workspaceItself: boolean
  readonly write: boolean
  /** Questions of access: a place that is not there is answered (NO_ACCESS), not refused. */
  readonly unknownPlaceIsAnAnswer: boolean
}

/** Decides about the caller of a method, and builds the context from exactly what it decided about. */
export interface Gate {
  /**
   * Throws NOT_FOUND when there is nothing at that place or the caller has no binding there (never told apart),
   * PERMISSION_MISSING for a binding without the permission, TENANT_SUSPENDED, WORKSPACE_ARCHIVED for writes.
   * Undefined only where an unknown place is an answer, for a platform caller who may ask.
   */
  admit(
    caller: Caller,
    place: Place,
    demand: Demand,
    actor: Actor,
  ): TenantContext | undefined | Promise<TenantContext | undefined>
  /** For methods that act on the platform: throws PERMISSION_MISSING for every tenant credential. */
  admitPlatform(caller: Caller, permission: string): void
  /** The same by what is committed at this moment, whatever is in memory: for the unit of work that holds the lock. */
  readmitPlatform(caller: Caller, permission: string): Promise<void>
}

/** One thing worth keeping that is not a change: a refusal, or a platform principal's look into a tenant. */
export interface AccessEvent {
  /** Unset when it happened at no tenant the caller may know of; then it is kept in the chain of the caller's own tenant, or the platform's. */
  readonly context: TenantContext | undefined
  readonly caller: Caller
  readonly actor: Actor
  readonly event: string
  /** Resource name asked for. */
  readonly target: string
  readonly denied: boolean
  /** ErrorReason of a refusal, or what the caller is not told of it; empty otherwise. */
  readonly reason: string
  /** Facts about it. Never a secret, never a person's data. */
  readonly details?: AccessDetails
}

/** Keeps access events in batches, bounded; never makes the call wait for a head's lock. */
export interface AccessRecorder {
  /** In the background. */
  record(event: AccessEvent): void
  /** Resolves when it is durable; rejects when it cannot be written now. */
  recordDurably(event: AccessEvent): Promise<void>
}

/** For handlers whose demand depends on what they find: asks the gate once more, for another permission at the same place. */
export interface Demands {
  /** Throws PERMISSION_MISSING. */
  demand(call: Call, context: TenantContext | undefined, permission: string): Promise<void>
}

/** Waits for what a caller has seen elsewhere. */
export interface Freshness {
  /**
   * Resolves when what is decided and read here is at least as new as the token. Throws INVALID_REVISION for a token that
   * is not ours or of another tenant, REVISION_LOST for another timeline, STALE when it cannot be reached in time.
   */
  atLeast(token: string, context: Pick<TenantContext, 'tenantId'> | undefined): void | Promise<void>
}
