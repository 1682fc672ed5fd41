import type { DescMessage, DescService, MessageShape } from '@bufbuild/protobuf'
import { nilUuid, type PrincipalId, type TenantId, type WorkspaceId } from '../base/ids.ts'
import type { PageBinding } from '../tenancy/listing.ts'
import type { Actor, TenantContext } from '../tenancy/tenant-context.ts'
import type { Mutation } from '../tenancy/unit-of-work.ts'

/** The authenticated principal and the credential it came with. */
export interface Caller {
  /** Resource name, e.g. `serviceAccounts/root` or `tenants/acme/users/alice`. */
  readonly principal: string
  readonly principalKind: 'user' | 'service_account'
  readonly principalId: PrincipalId
  /** The tenant of the credential; `platformTenantId` (the nil UUID) for a platform credential. */
  readonly tenantId: TenantId
  /** Empty for a platform credential. */
  readonly tenantSlug: string
  /** The one workspace the credential has power in; `tenantLevel` (the nil UUID) when it is not bound to one. */
  readonly workspaceId: WorkspaceId
  readonly workspaceSlug: string
  readonly credentialKind: 'api_key'
  /** Resource name, e.g. `tenants/acme/apiKeys/…`. */
  readonly credential: string
  readonly credentialId: string
  /** Unset: never. */
  readonly expireTimeMs: number | undefined
}

/** What makes a repeated call the same call: KERNEL section 3. Made by the pipeline, honoured by the unit of work. */
export interface Idempotency {
  /** SHA-256 over caller, method and request id, each length-prefixed. */
  readonly key: Uint8Array
  /** HMAC-SHA-256 over the canonical bytes of the request, under a key of the installation. */
  readonly requestHash: Uint8Array
}

export type AccessDetails = Readonly<Record<string, string | number | boolean | readonly string[]>>

/** What a handler sees of a call, whatever transport it came by. */
export interface Call {
  readonly requestId: string
  /** Full name, e.g. `tenure.v1.TenantService/CreateTenant`. */
  readonly method: string
  /** The name the call is audited under; empty when it is not. */
  readonly auditEvent: string
  /** Unset only for methods of scope PUBLIC. */
  readonly caller: Caller | undefined
  /** Where the call acts; unset for methods that act in no single tenant. Built by the pipeline from what was authorized. */
  readonly context: TenantContext | undefined
  /** Set when the request carries a non-empty `request_id`. */
  readonly idempotency: Idempotency | undefined
  /** Set for writes on the platform as a whole: checks the admission again, for the unit of work that holds the lock. */
  readonly readmit: (() => Promise<void>) | undefined
  readonly clientIp: string
  /** Milliseconds since the epoch; unset when the client set none and the server has no limit. */
  readonly deadlineMs: number | undefined
  readonly signal: AbortSignal
  /** For methods that are audited before their answer: what it was that the caller got, as the event names it. */
  gaveAccess(target: string, details?: AccessDetails): void
}

/** An answer that is encoded already: the hot path hands out cached bytes. The pipeline decodes it for transports that need the message. */
export interface EncodedAnswer {
  readonly encoded: Uint8Array
}

export type Answer<O extends DescMessage> = MessageShape<O> | EncodedAnswer

/** One method: convert, act, convert. Fails by throwing a TenureError; anything else thrown is a broken invariant. */
export type Handler<I extends DescMessage, O extends DescMessage> = (
  request: MessageShape<I>,
  call: Call,
) => Answer<O> | Promise<Answer<O>>

/** A handler for every method of a service: one that lacks a method does not compile. */
export type ServiceHandlers<S extends DescService> = {
  readonly [M in keyof S['method']]: Handler<S['method'][M]['input'], S['method'][M]['output']>
}

export interface ServiceImplementation {
  readonly service: DescService
  readonly handlers: Readonly<Record<string, Handler<DescMessage, DescMessage>>>
}

export function implement<S extends DescService>(service: S, handlers: ServiceHandlers<S>): ServiceImplementation {
  return { service, handlers: handlers as unknown as ServiceImplementation['handlers'] }
}

/** The caller as the audit chain records it. Only methods of scope PUBLIC have none, and they write nothing. */
export function actorOf(call: Call): Actor {
  const caller = callerOf(call)
  return {
    principal: caller.principal,
    credential: caller.credential,
    requestId: call.requestId,
    clientIp: call.clientIp,
  }
}

export function callerOf(call: Call): Caller {
  if (call.caller === undefined) throw new Error(`${call.method} needs a caller`)
  return call.caller
}

/** Where the call acts. A method that lacks a place has a policy that does not fit its handler. */
export function contextOf(call: Call): TenantContext {
  if (call.context === undefined) throw new Error(`${call.method} needs a place`)
  return call.context
}

/** What the unit of work of a mutating method begins with. */
export function mutationOf<O extends DescMessage>(
  call: Call,
  response: O,
  { target, validateOnly = false }: { readonly target: string; readonly validateOnly?: boolean },
): Mutation<O> {
  return {
    event: call.auditEvent,
    target,
    idempotency: call.idempotency,
    response,
    validateOnly,
    readmit: call.readmit,
    signal: call.signal,
  }
}

/** What a page token of this call is bound to. `query` is everything of the request that decides what is listed. */
export function pageBindingOf(call: Call, query: readonly string[]): PageBinding {
  const caller = callerOf(call)
  return {
    tenantId: call.context?.tenantId ?? nilUuid,
    principal: caller.principal,
    credential: caller.credential,
    method: call.method,
    query,
  }
}
