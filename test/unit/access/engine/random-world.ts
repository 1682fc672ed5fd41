import type { CataloguedPermission } from '../../../../src/access/engine/catalogue.ts'
import type { Question, Subject } from '../../../../src/access/engine/decision.ts'
import type { CommittedChange, MembershipFact } from '../../../../src/access/engine/facts.ts'
import { type TenantId, tenantLevel, type WorkspaceId } from '../../../../src/base/ids.ts'
import {
  apiKeyFact,
  membershipFact,
  robotFact,
  roleFact,
  tenantFact,
  testPermissions,
  uid,
  userFact,
  workspaceFact,
} from './fact-builders.ts'
import type { MemoryFacts, StoredTable, StoredTenant } from './memory-facts.ts'

/** mulberry32: small, seeded, good enough to shuffle with. */
export class Dice {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }

  below(limit: number): number {
    return Math.floor(this.next() * limit)
  }

  chance(share: number): boolean {
    return this.next() < share
  }

  pick<Item>(items: readonly Item[]): Item {
    const item = items[this.below(items.length)]
    if (item === undefined) throw new Error('nothing to pick from')
    return item
  }

  some<Item>(items: readonly Item[], share: number): Item[] {
    return items.filter(() => this.chance(share))
  }
}

type Touched = [StoredTable, string][]

const templates = ['roles/owner', 'roles/admin', 'roles/member', 'roles/viewer', 'roles/platform.admin']
const permissionNames = [...testPermissions.map(({ name }) => name), 'ghosts.read']

/** Tenants that change at random. Every id is drawn from a small range, so that things meet, vanish and come back. */
export class RandomWorld {
  readonly store: MemoryFacts
  readonly dice: Dice
  nowMs = 1_000_000
  catalogue: CataloguedPermission[] = [...testPermissions]
  #nextId = 1000

  constructor(store: MemoryFacts, dice: Dice) {
    this.store = store
    this.dice = dice
  }

  addTenant(): StoredTenant {
    const number = this.store.tenants.size
    const tenantId = uid<TenantId>(this.#id())
    const stored = this.store.put({
      tenant: tenantFact({ tenantId, slug: `tenant-${number}` }),
      workspaces: [0, 1, 2].map((at) => workspaceFact({ workspaceId: uid(this.#id()), slug: `space-${at}` })),
      principals: [
        ...[0, 1, 2].map((at) =>
          userFact({ principalId: uid(this.#id()), slug: `user-${at}`, subject: `subject-${at}` }),
        ),
        robotFact({ principalId: uid(this.#id()), slug: 'robot-0' }),
      ],
      roles: [],
      memberships: [],
      apiKeys: [],
    })
    for (let at = 0; at < 4; at += 1) this.#putRole(stored)
    for (let at = 0; at < 6; at += 1) this.#putMembership(stored)
    for (let at = 0; at < 3; at += 1) this.#putApiKey(stored)
    return stored
  }

  change(stored: StoredTenant): CommittedChange {
    const { tenant: before } = stored
    let tenantChanged = false
    const change = this.store.commit(before.tenantId, () => {
      const touched = this.#changeOnce(stored)
      const all = this.dice.chance(0.2) ? [...touched, ...this.#changeOnce(stored)] : touched
      tenantChanged = stored.tenant !== before
      return all
    })
    // What became of the tenant itself is always read.
    return !tenantChanged && this.dice.chance(0.5) ? this.store.withFacts(change) : change
  }

  /** Mostly about what exists, sometimes about what does not or is another tenant's. */
  question(stored: StoredTenant): Question {
    const { dice } = this
    const workspaces = [...stored.workspaces.values()].map(({ slug }) => slug)
    return {
      subject: this.#subject(dice.chance(0.9) ? stored : dice.pick([...this.store.tenants.values()])),
      workspace: dice.chance(0.25) ? '' : dice.chance(0.95) ? dice.pick(workspaces) : 'nowhere',
      permission: dice.chance(0.08) ? '' : dice.pick(permissionNames),
    }
  }

  toggleCatalogue(): void {
    const entry = this.dice.pick(testPermissions)
    const rest = this.catalogue.filter(({ name }) => name !== entry.name)
    this.catalogue = rest.length === this.catalogue.length ? [...rest, entry] : rest
  }

  #subject(stored: StoredTenant): Subject {
    const { dice } = this
    if (stored.api_keys.size > 0 && dice.chance(0.35)) {
      return { kind: 'api_key', apiKeyId: dice.pick([...stored.api_keys.keys()]) }
    }
    const principal = dice.pick([...stored.principals.values()])
    if (dice.chance(0.2)) return { kind: 'principal', principalId: principal.principalId }
    if (dice.chance(0.4)) return { kind: 'identity', issuer: principal.issuer, subject: principal.subject }
    return { kind: principal.kind, slug: principal.slug }
  }

  #changeOnce(stored: StoredTenant): Touched {
    const roll = this.dice.below(100)
    if (roll < 40) return this.#changeMembership(stored)
    if (roll < 55) return this.#changeRole(stored)
    if (roll < 65) return this.#changeWorkspace(stored)
    if (roll < 77) return this.#changePrincipal(stored)
    if (roll < 85) return this.#changeTenant(stored)
    return this.#changeApiKey(stored)
  }

  #changeMembership(stored: StoredTenant): Touched {
    const roll = this.dice.below(3)
    const known = [...stored.memberships.values()]
    if (known.length === 0 || (roll === 0 && known.length < 20)) return this.#putMembership(stored)
    const fact = this.dice.pick(known)
    if (roll === 1) stored.memberships.delete(fact.membershipId)
    else this.#putMembership(stored, fact)
    return [['memberships', fact.membershipId]]
  }

  #putMembership(stored: StoredTenant, before?: MembershipFact): Touched {
    const { dice } = this
    const membershipId = before?.membershipId ?? uid(this.#id())
    const roles = [...stored.roles.keys(), ...templates, uid<string>(999_999)]
    const place = dice.chance(0.4) ? tenantLevel : dice.pick([...stored.workspaces.values()]).workspaceId
    stored.memberships.set(
      membershipId,
      membershipFact({
        membershipId,
        workspaceId: place,
        principalId: before?.principalId ?? dice.pick([...stored.principals.values()]).principalId,
        roles: dice.chance(0.8) ? [dice.pick(roles)] : dice.some(roles, 0.25),
        // A workspace membership with reach, which no check lets in, must reach nothing else all the same.
        reachAll: dice.chance(0.3),
        expireTimeMs: dice.chance(0.35) ? this.nowMs + dice.below(300) - 20 : undefined,
      }),
    )
    return [['memberships', membershipId]]
  }

  #changeRole(stored: StoredTenant): Touched {
    const ids = [...stored.roles.keys()]
    if (ids.length === 0 || (ids.length < 6 && this.dice.chance(0.3))) return this.#putRole(stored)
    const id = this.dice.pick(ids)
    if (this.dice.chance(0.3)) stored.roles.delete(id)
    else this.#putRole(stored, id)
    return [['roles', id]]
  }

  #putRole(stored: StoredTenant, id: string = uid(this.#id())): Touched {
    const permissions = this.dice.some(permissionNames, 0.3)
    stored.roles.set(id, roleFact({ roleId: id as never, slug: `role-${id.slice(-6)}`, permissions }))
    return [['roles', id]]
  }

  #changeWorkspace(stored: StoredTenant): Touched {
    const { dice } = this
    if (stored.workspaces.size < 6 && dice.chance(0.15)) {
      const workspaceId = uid<WorkspaceId>(this.#id())
      stored.workspaces.set(workspaceId, workspaceFact({ workspaceId, slug: `space-${stored.workspaces.size}` }))
      return [['workspaces', workspaceId]]
    }
    const fact = dice.pick([...stored.workspaces.values()])
    const state = dice.pick(['ACTIVE', 'ACTIVE', 'ACTIVE', 'ARCHIVED', 'DELETED'] as const)
    stored.workspaces.set(fact.workspaceId, { ...fact, state })
    return [['workspaces', fact.workspaceId]]
  }

  #changePrincipal(stored: StoredTenant): Touched {
    const { dice } = this
    const fact = dice.pick([...stored.principals.values()])
    stored.principals.set(fact.principalId, { ...fact, active: dice.chance(0.75) })
    return [['principals', fact.principalId]]
  }

  #changeTenant(stored: StoredTenant): Touched {
    const { dice } = this
    const state = dice.pick([
      'ACTIVE',
      'ACTIVE',
      'ACTIVE',
      'ACTIVE',
      'SUSPENDED',
      'SUSPENDED',
      'DELETED',
      'PROVISIONING',
    ] as const)
    const suspensionMode = state === 'SUSPENDED' ? dice.pick(['READ_ONLY', 'FULL'] as const) : 'NONE'
    stored.tenant = { ...stored.tenant, state, suspensionMode, tier: dice.pick(['free', 'standard']) }
    return []
  }

  #changeApiKey(stored: StoredTenant): Touched {
    const fact = this.dice.pick([...stored.api_keys.values()])
    if (stored.api_keys.size < 8 && this.dice.chance(0.4)) return this.#putApiKey(stored)
    if (this.dice.chance(0.3) && stored.api_keys.size > 1) stored.api_keys.delete(fact.apiKeyId)
    else stored.api_keys.set(fact.apiKeyId, { ...fact, revoked: this.dice.chance(0.5), permissions: this.#narrowing() })
    return [['api_keys', fact.apiKeyId]]
  }

  #putApiKey(stored: StoredTenant): Touched {
    const { dice } = this
    const apiKeyId = uid<typeof fact.apiKeyId>(this.#id())
    const fact = apiKeyFact({
      apiKeyId,
      workspaceId: dice.chance(0.5) ? tenantLevel : dice.pick([...stored.workspaces.values()]).workspaceId,
      ownerId: dice.pick([...stored.principals.values()]).principalId,
      permissions: this.#narrowing(),
      expireTimeMs: dice.chance(0.3) ? this.nowMs + dice.below(400) : undefined,
    })
    stored.api_keys.set(apiKeyId, fact)
    return [['api_keys', apiKeyId]]
  }

  #narrowing(): string[] {
    return this.dice.chance(0.4) ? [] : this.dice.some(permissionNames, 0.5)
  }

  #id(): number {
    this.#nextId += 1
    return this.#nextId
  }
}
