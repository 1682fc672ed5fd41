import { permissionsOf } from '../../../../src/access/engine/answer-bytes.ts'
import { BindingBudget } from '../../../../src/access/engine/binding-cache.ts'
import { PermissionCatalogue } from '../../../../src/access/engine/catalogue.ts'
import { type Decision, decide, type Question } from '../../../../src/access/engine/decision.ts'
import type { EngineAlarm } from '../../../../src/access/engine/engine-alarm.ts'
import type { TenantFacts } from '../../../../src/access/engine/facts.ts'
import { TenantSnapshot } from '../../../../src/access/engine/tenant-snapshot.ts'
import { acmeFacts, testPermissions } from './fact-builders.ts'

export interface SnapshotRig {
  readonly snapshot: TenantSnapshot
  readonly catalogue: PermissionCatalogue
  readonly alarms: EngineAlarm[]
  /** Room for ten compiled bindings. */
  readonly budget: BindingBudget
  directoryRevision: number
  /** Alice, `orders.read` in `prod`, unless said otherwise. */
  ask(question?: Partial<Question>, nowMs?: number): Decision
  reason(question?: Partial<Question>, nowMs?: number): string
  permissions(question?: Partial<Question>, nowMs?: number): string
}

export function createSnapshotRig(facts: Partial<TenantFacts> = {}): SnapshotRig {
  const catalogue = new PermissionCatalogue(testPermissions)
  const alarms: EngineAlarm[] = []
  const budget = new BindingBudget(10, () => snapshot.forgetCompiled())
  const snapshot = new TenantSnapshot(acmeFacts(facts), {
    catalogue,
    alarm: (alarm) => alarms.push(alarm),
    directoryRevision: () => rig.directoryRevision,
    budget,
  })
  const ask = (question: Partial<Question> = {}, nowMs = 1_000): Decision =>
    decide(snapshot, { subject: alice, workspace: 'prod', permission: 'orders.read', ...question }, nowMs)
  const rig: SnapshotRig = {
    snapshot,
    catalogue,
    alarms,
    budget,
    directoryRevision: 7,
    ask,
    reason: (question, nowMs) => ask(question, nowMs).reason,
    permissions: (question, nowMs) => permissionsOf(ask(question, nowMs)).join(' '),
  }
  return rig
}

export const alice = { kind: 'user', slug: 'alice' } as const
