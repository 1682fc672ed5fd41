import type { Clock } from '../base/clock.ts'
import { invalidField, notFound, TenureError, tenantSuspended } from '../base/errors.ts'
import { platformTenantId, tenantLevel, type WorkspaceId } from '../base/ids.ts'
import { nameIn, parseName, principalNameIn } from '../base/resource-name.ts'
import type { Principal } from '../gen/tenure/v1/access_service_pb.ts'
import { type Call, callerOf } from '../rpc/call.ts'
import type { Demands } from '../rpc/ports.ts'
import type { TenantContext } from '../tenancy/tenant-context.ts'
import { permissionsOf } from './engine/answer-bytes.ts'
import { contributes } from './engine/compiled-binding.ts'
import { type Decision, decide, type Subject } from './engine/decision.ts'
import type { PrincipalFact, WorkspaceFact } from './engine/facts.ts'
import type { TenantSnapshot } from './engine/tenant-snapshot.ts'
import type { Engines } from './engines.ts'
import type { Grants } from './grants.ts'
import { ownService } from './permission.ts'
import { subjectFrom } from './subject.ts'

/** What a principal may do now at places of one tenant. */
export interface Statement {
  /** Resource name. */
  readonly principal: string
  /** Whether it is about another than the caller. */
  readonly impersonates: boolean
  readonly region: string
  readonly tier: string
  readonly revision: number
  readonly revisionToken: string
  /** Of the tenant itself, bare and sorted. */
  readonly permissions: readonly string[]
  readonly workspaces: readonly WorkspaceStatement[]
  /** Role uids and names of templates it rests on, sorted. */
  readonly roles: readonly string[]
  /** From this moment on something it rests on is expired. */
  readonly validUntilMs: number
}

export interface WorkspaceStatement {
  readonly workspaceId: WorkspaceId
  readonly slug: string
  readonly permissions: readonly string[]
}

export interface StatementRequest {
  /** Unset: the caller itself. */
  readonly principal?: Principal | undefined
  /** By name; empty: every workspace it has a place in, or that of the context. */
  readonly workspaces: readonly string[]
  /** Empty: every one that data planes can ask about. */
  readonly permissions: readonly string[]
}

/**
 * States what tokens carry: power as it is at this moment, per place, so that none of it leaks from one to another.
 * Tenure's own permissions are left out unless they are named: only Tenure enforces them, by what it knows itself.
 */
export interface Statements {
  /** Throws NOT_FOUND for whoever has no place there: unknown, foreign and not a member are never told apart. */
  state(call: Call, context: TenantContext, request: StatementRequest): Promise<Statement>
}

/** More than any token holds, and as many as a request may name. */
const maxStatedWorkspaces = 100

export interface StatementParts {
  readonly engines: Engines
  readonly clock: Clock
  readonly grants: Grants
  readonly demands: Demands
}

export function createStatements(parts: StatementParts): Statements {
  return {
    async state(call, context, request) {
      await parts.grants.followCatalogue(request.permissions)
      parts.grants.assertCatalogued(request.permissions)
      const snapshot = await parts.engines.of(context.tenantId)
      if (snapshot === undefined) throw notFound()
      const { subject, impersonates } = await subjectOf(parts, snapshot, call, context, request.principal)
      const nowMs = parts.clock.nowMs()
      const statement = new Inquiry(snapshot, subject, request.permissions, nowMs).state(context, request, impersonates)
      const callerUntilMs = endOfCaller(snapshot, call, context, nowMs)
      return { ...statement, validUntilMs: Math.min(statement.validUntilMs, callerUntilMs) }
    },
  }
}

async function subjectOf(
  parts: StatementParts,
  snapshot: TenantSnapshot,
  call: Call,
  context: TenantContext,
  principal: Principal | undefined,
): Promise<{ readonly subject: Subject; readonly impersonates: boolean }> {
  const caller = callerOf(call)
  const own: Subject = { kind: 'api_key', apiKeyId: caller.credentialId }
  if (principal === undefined) {
    if (caller.tenantId === platformTenantId) {
      throw invalidField('principal', 'must be set: a caller of the platform is nobody in the tenant')
    }
    return { subject: own, impersonates: false }
  }
  // Before anything is said of whether there is such a principal.
  const subject = subjectFrom(principal, context.tenantSlug)
  const fact = subject === undefined ? undefined : principalIn(snapshot, subject)
  if (fact?.principalId === caller.principalId) return { subject: own, impersonates: false }
  await parts.demands.demand(call, context, 'tokens.impersonate')
  if (fact === undefined) throw notFound()
  // With the whole of their power, not only what the token would carry: what is done in a name is that person's deed.
  await parts.grants.assertMayActFor(call, context, { id: fact.principalId }, [])
  return { subject: { kind: 'principal', principalId: fact.principalId }, impersonates: true }
}

/** When the caller's own place ends: what it has asked for in another's name ends with it. One of the platform has no place that does. */
function endOfCaller(snapshot: TenantSnapshot, call: Call, context: TenantContext, nowMs: number): number {
  const principal = snapshot.principalById(callerOf(call).principalId)
  const binding = principal && snapshot.binding(principal, snapshot.workspaceById(context.workspaceId), nowMs)
  return binding?.validUntilMs ?? Number.POSITIVE_INFINITY
}

function principalIn(snapshot: TenantSnapshot, subject: Subject): PrincipalFact | undefined {
  switch (subject.kind) {
    case 'identity':
      return snapshot.principalByIdentity(subject.issuer, subject.subject)
    case 'user':
    case 'service_account':
      return snapshot.principalBySlug(subject.kind, subject.slug)
    default:
      return undefined
  }
}

/** One principal, place by place, at one moment. */
class Inquiry {
  readonly #snapshot: TenantSnapshot
  readonly #subject: Subject
  readonly #named: ReadonlySet<string>
  readonly #nowMs: number
  readonly #roles = new Set<string>()
  #principal: PrincipalFact | undefined
  #validUntilMs = Number.POSITIVE_INFINITY

  constructor(snapshot: TenantSnapshot, subject: Subject, named: readonly string[], nowMs: number) {
    this.#snapshot = snapshot
    this.#subject = subject
    this.#named = new Set(named)
    this.#nowMs = nowMs
  }

  state(context: TenantContext, request: StatementRequest, impersonates: boolean): Statement {
    const atTenant = context.workspaceSlug === ''
    // Who names workspaces asks for those alone: what is handed on must not hand the tenant on with them.
    const permissions = atTenant && request.workspaces.length === 0 ? this.#at(undefined) : undefined
    const workspaces = this.#workspaces(context, request.workspaces)
    const principal = this.#principal
    if (principal === undefined) throw notFound()
    const { tenant } = this.#snapshot
    return {
      principal: principalNameIn({ tenant: tenant.slug, workspace: '' }, principal),
      ...{ impersonates, region: tenant.region, tier: tenant.tier },
      revision: this.#snapshot.revision,
      revisionToken: this.#snapshot.revisionToken(),
      permissions: permissions ?? [],
      workspaces,
      roles: [...this.#roles].sort(),
      validUntilMs: this.#validUntilMs,
    }
  }

  #workspaces(context: TenantContext, names: readonly string[]): WorkspaceStatement[] {
    if (context.workspaceSlug !== '') {
      const own = nameIn({ tenant: context.tenantSlug, workspace: '' }, 'workspaces', context.workspaceSlug)
      // Like one that never was: a key of one workspace learns of no other.
      if (names.some((name) => name !== own)) throw notFound()
      return [this.#asked(context.workspaceSlug)]
    }
    if (names.length > 0) return names.map((name) => this.#asked(slugIn(name, context)))
    const stated: WorkspaceStatement[] = []
    for (const workspace of this.#candidates()) {
      const statement = this.#statementAt(workspace)
      if (statement !== undefined) stated.push(statement)
      if (stated.length > maxStatedWorkspaces) throw tooWide()
    }
    return stated.sort((a, b) => (a.slug < b.slug ? -1 : 1))
  }

  /** Found from the principal's side: a tenant may have very many workspaces, and a principal is in few of them. */
  #candidates(): Iterable<WorkspaceFact> {
    const principal = this.#snapshotPrincipal()
    if (principal === undefined) return []
    const { memberships } = this.#snapshot.sourcesOf(principal, undefined)
    if (memberships.some(({ reachAll }) => reachAll)) return this.#snapshot.workspaces()
    const ids = new Set(memberships.map(({ workspaceId }) => workspaceId))
    return [...ids].flatMap((id) => this.#snapshot.workspaceById(id) ?? [])
  }

  #snapshotPrincipal(): PrincipalFact | undefined {
    const subject = this.#subject
    if (subject.kind === 'principal') return this.#snapshot.principalById(subject.principalId)
    const key = subject.kind === 'api_key' ? this.#snapshot.apiKeyById(subject.apiKeyId) : undefined
    return key === undefined ? undefined : this.#snapshot.principalById(key.ownerId)
  }

  /** One that was asked for by name: what stands in the way is said, as far as the principal may know of the place. */
  #asked(slug: string): WorkspaceStatement {
    const workspace = this.#snapshot.workspaceBySlug(slug)
    const found = workspace === undefined ? undefined : this.#statementAt(workspace)
    if (found !== undefined) return found
    const { reason } = this.#decide(slug)
    if (reason === 'WORKSPACE_ARCHIVED') {
      throw new TenureError('WORKSPACE_ARCHIVED', `The workspace ${slug} is archived. Unarchive it first.`)
    }
    throw notFound()
  }

  #statementAt(workspace: WorkspaceFact): WorkspaceStatement | undefined {
    const permissions = this.#at(workspace)
    return permissions && { workspaceId: workspace.workspaceId, slug: workspace.slug, permissions }
  }

  /** Undefined: no place, or one that is closed. */
  #at(workspace: WorkspaceFact | undefined): string[] | undefined {
    const decision = this.#decide(workspace?.slug ?? '')
    if (decision.reason === 'TENANT_SUSPENDED') throw tenantSuspended()
    const { allow, binding } = decision
    if (!allow || binding === undefined) return undefined
    this.#principal = binding.principal
    this.#validUntilMs = Math.min(this.#validUntilMs, binding.validUntilMs)
    const place = workspace?.workspaceId ?? tenantLevel
    for (const membership of this.#snapshot.sourcesOf(binding.principal, workspace).memberships) {
      if (contributes(membership, place, this.#nowMs)) for (const role of membership.roles) this.#roles.add(role)
    }
    return permissionsOf(decision).filter((permission) => this.#isStated(permission))
  }

  #isStated(permission: string): boolean {
    const catalogued = this.#snapshot.catalogue.find(permission)
    if (catalogued === undefined) return false
    // The tenant takes no writes now; who verifies offline would not know.
    if (catalogued.effect === 'WRITE' && this.#snapshot.tenant.state !== 'ACTIVE') return false
    return this.#named.size === 0 ? catalogued.service !== ownService : this.#named.has(permission)
  }

  #decide(workspace: string): Decision {
    return decide(this.#snapshot, { subject: this.#subject, workspace, permission: '' }, this.#nowMs)
  }
}

function tooWide(): TenureError {
  return new TenureError(
    'TOKEN_TOO_LARGE',
    `It would be about more than ${maxStatedWorkspaces} workspaces. Name those that are needed.`,
  )
}

/** Of another tenant: not there, like one that never was. */
function slugIn(name: string, context: TenantContext): string {
  const place = parseName(name)
  if (place?.tenant !== context.tenantSlug) throw notFound()
  return place.workspace
}
