import type { Clock } from '../base/clock.ts'
import type { TenantId } from '../base/ids.ts'
import { sampled } from '../base/sampled.ts'
import { readerContext } from '../tenancy/reader-context.ts'
import type { Scopes } from '../tenancy/scope.ts'
import type { PermissionCatalogue } from './engine/catalogue.ts'
import { decide } from './engine/decision.ts'
import type { TenantFacts } from './engine/facts.ts'
import type { TenantSnapshot } from './engine/tenant-snapshot.ts'
import type { Engines } from './engines.ts'
import { readTenantFacts } from './facts-reader.ts'
import { type NaiveQuestion, naiveDecision } from './naive-decision.ts'

export interface Difference extends NaiveQuestion {
  readonly engine: string
  readonly naive: string
}

/** Asks memory and rows the same questions about a tenant. */
export interface DecisionAudit {
  /** Answers where they disagree. Undefined: the tenant changes too fast to compare the two. */
  compare(tenantId: string, checked: (count: number) => void): Promise<readonly Difference[] | undefined>
}

export interface DecisionAuditParts {
  readonly engines: Engines
  readonly scopes: Scopes
  readonly catalogue: PermissionCatalogue
  readonly clock: Clock
  /** From 0 up to 1. */
  readonly random: () => number
}

const tries = 5
const maxPrincipals = 10
const maxWorkspaces = 2
const maxPermissions = 24

export function createDecisionAudit(parts: DecisionAuditParts): DecisionAudit {
  return {
    async compare(tenantId, checked) {
      for (let tried = 0; tried < tries; tried += 1) {
        const pair = await sameMoment(parts, tenantId as TenantId)
        if (pair === 'gone') return []
        if (pair !== undefined) return differences(parts, pair, checked)
      }
      return undefined
    },
  }
}

interface Pair {
  readonly facts: TenantFacts
  readonly snapshot: TenantSnapshot
}

/** Rows and memory of one revision; undefined: the one moved on while the other was read. */
async function sameMoment({ engines, scopes }: DecisionAuditParts, tenantId: TenantId) {
  const facts = await scopes.readAllWorkspaces(readerContext(tenantId), 'access-snapshot', readTenantFacts)
  if (facts === undefined) return 'gone'
  await engines.tenants.atLeast(tenantId, facts.tenant.revision)
  const snapshot = await engines.of(tenantId)
  const { revision } = facts.tenant
  // The rows of some change may be in memory before those of an earlier one: its head is then ahead of what it is complete to.
  const isSame = snapshot?.revision === revision && snapshot.tenant.revision === revision
  return isSame ? { facts, snapshot } : undefined
}

function differences(
  { catalogue, clock, random }: DecisionAuditParts,
  { facts, snapshot }: Pair,
  checked: (count: number) => void,
) {
  const nowMs = clock.nowMs()
  const some = <T>(all: readonly T[], max: number) => sampled(all, max, random)
  const places = ['', ...some(facts.workspaces, maxWorkspaces).map(({ slug }) => slug)]
  const permissions = some([...catalogue.entries()], maxPermissions).map(({ name }) => name)
  const found: Difference[] = []
  for (const { principalId } of some(facts.principals, maxPrincipals)) {
    for (const workspace of places) {
      for (const permission of permissions) {
        const question = { principalId, workspace, permission }
        const subject = { kind: 'principal', principalId } as const
        const engine = decide(snapshot, { subject, workspace, permission }, nowMs).reason
        const naive = naiveDecision(facts, catalogue, question, nowMs)
        checked(1)
        if (engine !== naive) found.push({ ...question, engine, naive })
      }
    }
  }
  return found
}
