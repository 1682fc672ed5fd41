import { platformTenantId, tenantLevel } from '../../base/ids.ts'
import { encodeRevision } from '../../base/revision.ts'
import { type BindingBudget, BindingCache } from './binding-cache.ts'
import type { Bitset } from './bitset.ts'
import type { PermissionCatalogue } from './catalogue.ts'
import { type BindingSources, type CompiledBinding, compileBinding } from './compiled-binding.ts'
import type { AlarmSink } from './engine-alarm.ts'
import type {
  ApiKeyFact,
  ChangedFacts,
  PrincipalFact,
  PrincipalKind,
  TenantFact,
  TenantFacts,
  WorkspaceFact,
} from './facts.ts'
import { SnapshotFacts } from './snapshot-facts.ts'

export interface SnapshotOptions {
  readonly catalogue: PermissionCatalogue
  readonly alarm: AlarmSink
  readonly directoryRevision: () => number
  readonly budget: BindingBudget
}

/**
 * What the engine knows of one tenant, compiled. It changes in place and in one go, so whoever holds it decides by the
 * newest facts and never by half a change.
 */
export class TenantSnapshot {
  readonly #options: SnapshotOptions
  readonly #bindings: BindingCache
  readonly #narrowing = new Map<string, Bitset>()
  #facts: SnapshotFacts
  #revision: number
  #catalogueVersion: number
  #retired = false
  #token = ''
  #tokenDirectoryRevision = -1

  constructor(facts: TenantFacts, options: SnapshotOptions) {
    this.#options = options
    this.#bindings = new BindingCache(options.budget)
    this.#facts = this.#index(facts)
    this.#revision = facts.tenant.revision
    this.#catalogueVersion = options.catalogue.version
  }

  get tenant(): TenantFact {
    return this.#facts.tenant
  }

  get catalogue(): PermissionCatalogue {
    return this.#options.catalogue
  }

  /** Every change up to this one is in; later ones may be. */
  get revision(): number {
    return this.#revision
  }

  /** No longer kept current: nothing may be decided by it. */
  get retired(): boolean {
    return this.#retired
  }

  retire(): void {
    this.#retired = true
    this.forgetCompiled()
  }

  workspaceBySlug(slug: string): WorkspaceFact | undefined {
    return this.#facts.workspacesBySlug.get(slug)
  }

  workspaceById(id: string): WorkspaceFact | undefined {
    return this.#facts.workspacesById.get(id)
  }

  workspaces(): WorkspaceFact[] {
    return [...this.#facts.workspacesById.values()]
  }

  principalById(id: string): PrincipalFact | undefined {
    return this.#facts.principals.byId(id)
  }

  principalBySlug(kind: PrincipalKind, slug: string): PrincipalFact | undefined {
    return this.#facts.principals.bySlug(kind, slug)
  }

  principalByIdentity(issuer: string, subject: string): PrincipalFact | undefined {
    return this.#facts.principals.byIdentity(issuer, subject)
  }

  apiKeyById(id: string): ApiKeyFact | undefined {
    return this.#facts.apiKeys.get(id)
  }

  /** What the principal has at the place (undefined: tenant level) at this moment, whatever the place's state. */
  binding(principal: PrincipalFact, workspace: WorkspaceFact | undefined, nowMs: number): CompiledBinding | undefined {
    this.#followCatalogue()
    const place = workspace?.workspaceId ?? tenantLevel
    if (this.#facts.memberships.isClosed(place)) return undefined
    const known = this.#bindings.get(principal.principalId, place)
    if (known !== undefined && nowMs < known.validUntilMs) return known
    const compiled = compileBinding(this.sourcesOf(principal, workspace), nowMs)
    // A retired snapshot is let go of without another look, so it must not hold a share of the budget.
    if (compiled !== undefined && !this.#retired) this.#bindings.put(principal.principalId, place, compiled)
    return compiled
  }

  /** What a binding of the principal at the workspace is compiled from. */
  sourcesOf(principal: PrincipalFact, workspace: WorkspaceFact | undefined): BindingSources {
    this.#followCatalogue()
    const { tenant, memberships, roles } = this.#facts
    return { tenant, workspace, principal, memberships: memberships.ofPrincipal(principal.principalId), roles }
  }

  /** The permissions a key is narrowed to. Undefined: it is not. A key whose every permission is unknown is narrowed to none. */
  narrowingOf(key: ApiKeyFact): Bitset | undefined {
    if (key.permissions.length === 0) return undefined
    this.#followCatalogue()
    let bits = this.#narrowing.get(key.apiKeyId)
    if (bits === undefined) {
      bits = this.catalogue.bitsOf(key.permissions)
      this.#narrowing.set(key.apiKeyId, bits)
    }
    return bits
  }

  /** The consistency token of `revision`: the same string until one of its parts changes. */
  revisionToken(): string {
    const directoryRevision = this.#options.directoryRevision()
    if (this.#token === '' || this.#tokenDirectoryRevision !== directoryRevision) {
      const { tenantId, timelineId, placementEpoch } = this.tenant
      const tenantRevision = this.#revision
      this.#token = encodeRevision({ directoryRevision, tenantId, timelineId, placementEpoch, tenantRevision })
      this.#tokenDirectoryRevision = directoryRevision
    }
    return this.#token
  }

  /**
   * Takes re-read rows in. `revision` is up to where every change is now known to be in: a re-read of some rows may
   * see a head that is ahead of rows it did not read, and claiming the head's would answer a caller who waits for it too early.
   */
  apply(changed: ChangedFacts, revision: number = changed.tenant.revision): void {
    const touched = this.#facts.apply(changed)
    this.#revision = revision
    this.#token = ''
    for (const id of touched.apiKeys) this.#narrowing.delete(id)
    if (touched.everything) this.#bindings.clear()
    else for (const id of touched.principals) this.#bindings.forgetPrincipal(id)
    this.#facts.raiseAlarms(this.#options.alarm)
  }

  /** Takes a whole new reading in. */
  replace(facts: TenantFacts): void {
    this.#facts = this.#index(facts)
    this.#revision = facts.tenant.revision
    this.#token = ''
    this.forgetCompiled()
  }

  forgetCompiled(): void {
    this.#bindings.clear()
    this.#narrowing.clear()
    this.#facts.roles.forgetBits()
  }

  #index(facts: TenantFacts): SnapshotFacts {
    const indexed = new SnapshotFacts(facts, this.catalogue, facts.tenant.tenantId === platformTenantId)
    indexed.raiseAlarms(this.#options.alarm)
    return indexed
  }

  // Compared with each question rather than announced: a permission taken out of the catalogue is gone from the very next one.
  #followCatalogue(): void {
    if (this.#catalogueVersion === this.catalogue.version) return
    this.#catalogueVersion = this.catalogue.version
    this.forgetCompiled()
  }
}
