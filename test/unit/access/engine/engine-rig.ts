import { PermissionCatalogue } from '../../../../src/access/engine/catalogue.ts'
import { decide } from '../../../../src/access/engine/decision.ts'
import { createEngine } from '../../../../src/access/engine/engine.ts'
import type { EngineAlarm } from '../../../../src/access/engine/engine-alarm.ts'
import type { CommittedChange } from '../../../../src/access/engine/facts.ts'
import { acmeFacts, acmeId, membershipFact, testPermissions, writerRoleId } from './fact-builders.ts'
import { MemoryFacts, type StoredTenant } from './memory-facts.ts'
import { alice } from './snapshot-rig.ts'

const membership = membershipFact()

/** Reads stop where the test says, until it lets them go on. */
class Gate {
  #waiting: { at: string; go: (error?: Error) => void }[] = []
  shut = ''

  readonly pass = (at: string, read: string): Promise<void> => {
    if (this.shut !== `${at} ${read}`) return Promise.resolve()
    return new Promise((resolve, reject) => {
      this.#waiting.push({ at, go: (error) => (error === undefined ? resolve() : reject(error)) })
    })
  }

  /** Lets go what waits; `shut` is where reads stop from then on. */
  async open(shut = '', error?: Error): Promise<void> {
    this.shut = shut
    for (const { go } of this.#waiting.splice(0)) go(error)
    await turn()
  }
}

export const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

export function createRig(maxTenants = 10, maxBindings = 100) {
  const gate = new Gate()
  const store = new MemoryFacts(gate.pass)
  store.put(acmeFacts())
  const alarms: EngineAlarm[] = []
  const catalogue = new PermissionCatalogue(testPermissions)
  const engine = createEngine({
    reader: store,
    catalogue,
    clock: { nowMs: () => 1_000, monotonicMs: () => 0 },
    maxTenants,
    maxBindings,
    alarm: (alarm) => alarms.push(alarm),
    directoryRevision: () => 1,
  })
  const reason = async (permission = 'orders.read', slug = 'acme') => {
    const snapshot = await engine.snapshotBySlug(slug)
    return snapshot && decide(snapshot, { subject: alice, workspace: 'prod', permission }, 1_000).reason
  }
  return { gate, store, alarms, catalogue, engine, reason }
}

export type Rig = ReturnType<typeof createRig>

export function commit({ store }: Rig, write: (stored: StoredTenant) => void = () => undefined): CommittedChange {
  return store.commit(acmeId, (stored) => {
    write(stored)
    return [['memberships', membership.membershipId]]
  })
}

export const removeAlice = (stored: StoredTenant) => stored.memberships.delete(membership.membershipId)
export const makeWriter = (stored: StoredTenant) =>
  stored.memberships.set(membership.membershipId, { ...membership, roles: [writerRoleId] })
