import type { PermissionCatalogue } from './catalogue.ts'
import type { AlarmSink, EngineAlarm } from './engine-alarm.ts'
import type {
  ApiKeyFact,
  ChangedFacts,
  MembershipFact,
  PrincipalFact,
  RoleFact,
  TenantFact,
  TenantFacts,
  WorkspaceFact,
} from './facts.ts'
import { MembershipIndex } from './membership-index.ts'
import { PrincipalIndex } from './principal-index.ts'
import {
  isReadableApiKey,
  isReadableMembership,
  isReadablePrincipal,
  isReadableRole,
  isReadableWorkspace,
} from './readable-facts.ts'
import { RoleIndex } from './role-index.ts'

/** Which compiled things a change has made void. */
export interface Touched {
  readonly everything: boolean
  readonly principals: ReadonlySet<string>
  readonly apiKeys: readonly string[]
}

/** The indexed rows of one tenant. A row that cannot be read is left out, never guessed at, and remembered as an alarm. */
export class SnapshotFacts {
  tenant: TenantFact
  readonly workspacesById = new Map<string, WorkspaceFact>()
  readonly workspacesBySlug = new Map<string, WorkspaceFact>()
  readonly principals = new PrincipalIndex()
  readonly memberships = new MembershipIndex()
  readonly roles: RoleIndex
  readonly apiKeys = new Map<string, ApiKeyFact>()
  #alarms: EngineAlarm[] = []

  constructor(facts: TenantFacts, catalogue: PermissionCatalogue, isPlatform: boolean) {
    this.tenant = facts.tenant
    this.roles = new RoleIndex(catalogue, isPlatform)
    for (const fact of facts.workspaces) this.#putWorkspace(fact.workspaceId, fact)
    for (const fact of facts.principals) this.#putPrincipal(fact.principalId, fact)
    for (const fact of facts.roles) this.#putRole(fact.roleId, fact)
    for (const fact of facts.memberships) this.#putMembership(fact.membershipId, fact)
    for (const fact of facts.apiKeys) this.#putApiKey(fact.apiKeyId, fact)
  }

  apply(changed: ChangedFacts): Touched {
    const everything =
      changed.workspaces.size !== 0 || changed.roles.size !== 0 || contextDiffers(this.tenant, changed.tenant)
    const principals = new Set<string>()
    this.tenant = changed.tenant
    for (const [id, fact] of changed.workspaces) this.#putWorkspace(id, fact)
    for (const [id, fact] of changed.roles) this.#putRole(id, fact)
    if (changed.roles.size !== 0) this.roles.forgetBits()
    for (const [id, fact] of changed.principals) {
      principals.add(id)
      this.#putPrincipal(id, fact)
    }
    for (const [id, fact] of changed.memberships) {
      const before = this.memberships.byId(id)
      if (before !== undefined) principals.add(before.principalId)
      if (fact !== undefined) principals.add(fact.principalId)
      this.#putMembership(id, fact)
    }
    for (const [id, fact] of changed.apiKeys) this.#putApiKey(id, fact)
    return { everything, principals, apiKeys: [...changed.apiKeys.keys()] }
  }

  /** Apart from taking rows in, so that nothing a sink does can leave a change half made. */
  raiseAlarms(sink: AlarmSink): void {
    const raised = this.#alarms
    this.#alarms = []
    for (const alarm of raised) sink(alarm)
  }

  #putWorkspace(id: string, fact: WorkspaceFact | undefined): void {
    const before = this.workspacesById.get(id)
    if (before !== undefined) {
      this.workspacesById.delete(id)
      if (this.workspacesBySlug.get(before.slug) === before) this.workspacesBySlug.delete(before.slug)
    }
    if (fact === undefined) return
    if (isReadableWorkspace(fact)) {
      this.workspacesById.set(id, fact)
      this.workspacesBySlug.set(fact.slug, fact)
    } else {
      this.#unreadable('workspaces', id, id)
    }
  }

  #putPrincipal(id: string, fact: PrincipalFact | undefined): void {
    this.principals.delete(id)
    if (fact === undefined) return
    if (isReadablePrincipal(fact)) this.principals.put(fact)
    else this.#unreadable('principals', id, '')
  }

  #putRole(id: string, fact: RoleFact | undefined): void {
    this.roles.delete(id)
    if (fact === undefined) return
    if (isReadableRole(fact)) this.roles.put(fact)
    else this.#unreadable('roles', id, '')
  }

  #putMembership(id: string, fact: MembershipFact | undefined): void {
    const before = this.memberships.byId(id)
    this.memberships.delete(id)
    if (fact === undefined) return
    if (isReadableMembership(fact)) {
      this.memberships.put(fact)
    } else {
      // A row that has lost even its place closes the place it was known to be in.
      const place = typeof fact.workspaceId === 'string' ? fact.workspaceId : (before?.workspaceId ?? '')
      this.memberships.putUnreadable(id, place)
      this.#unreadable('memberships', id, place)
    }
  }

  #putApiKey(id: string, fact: ApiKeyFact | undefined): void {
    this.apiKeys.delete(id)
    if (fact === undefined) return
    if (isReadableApiKey(fact)) this.apiKeys.set(id, fact)
    else this.#unreadable('api_keys', id, typeof fact.workspaceId === 'string' ? fact.workspaceId : '')
  }

  #unreadable(table: string, id: string, workspaceId: string): void {
    const { tenantId } = this.tenant
    this.#alarms.push({ kind: 'UNREADABLE_ROW', tenantId, table, id, workspaceId })
  }
}

/** The revision changes with every commit, and is no part of a binding. */
function contextDiffers(before: TenantFact, after: TenantFact): boolean {
  return (
    before.tenantId !== after.tenantId ||
    before.slug !== after.slug ||
    before.state !== after.state ||
    before.suspensionMode !== after.suspensionMode ||
    before.region !== after.region ||
    before.tier !== after.tier ||
    before.timelineId !== after.timelineId ||
    before.placementEpoch !== after.placementEpoch
  )
}
