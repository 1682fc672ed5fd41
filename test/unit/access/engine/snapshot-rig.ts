import { permissionsOf } from '../../../../src/access/engine/answer-bytes.ts'
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
  directoryRevision: number
  /** Alice, `orders.read` in `prod`, unless said otherwise. */
  ask(question?: Partial<Question>, nowMs?: number): Decision
  reason(question?: Partial<Question>, nowMs?: number): string
  permissions(question?: Partial<Question>, nowMs?: number): string
}

export function createSnapshotRig(facts: Partial<TenantFacts> = {}, maxBindings = 1_000): SnapshotRig {
  const catalogue = new PermissionCatalogue(testPermissions)
  const alarms: EngineAlarm[] = []
  const snapshot = new TenantSnapshot(acmeFacts(facts), {
    catalogue,
    alarm: (alarm) => alarms.push(alarm),
    directoryRevision: () => rig.directoryRevision,
    maxBindings,
  })
  const ask = (question: Partial<Question> = {}, nowMs = 1_000): Decision =>
    decide(snapshot, { subject: alice, workspace: 'prod', permission: 'orders.read', ...question }, nowMs)
  const rig: SnapshotRig = {
    snapshot,
    catalogue,
    alarms,
    directoryRevision: 7,
    ask,
    reason: (question, nowMs) => ask(question, nowMs).reason,
    permissions: (question, nowMs) => permissionsOf(ask(question, nowMs)).join(' '),
  }
  return rig
}

export const alice = { kind: 'user', slug: 'alice' } as const
