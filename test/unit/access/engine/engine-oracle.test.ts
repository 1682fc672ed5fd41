import { fromBinary } from '@bufbuild/protobuf'
import { describe, expect, test } from 'vitest'
import { answerBytes, answerMessage } from '../../../../src/access/engine/answer-bytes.ts'
import { PermissionCatalogue } from '../../../../src/access/engine/catalogue.ts'
import { type Decision, decide, noAccess, type Question } from '../../../../src/access/engine/decision.ts'
import { createEngine, type Engine } from '../../../../src/access/engine/engine.ts'
import type { CommittedChange } from '../../../../src/access/engine/facts.ts'
import { TenureError } from '../../../../src/base/errors.ts'
import { AuthorizeResponseSchema, ContextView } from '../../../../src/gen/tenure/v1/access_service_pb.ts'
import { testPermissions } from './fact-builders.ts'
import { MemoryFacts, type StoredTenant } from './memory-facts.ts'
import { NaiveEvaluator } from './naive-evaluator.ts'
import { Dice, RandomWorld } from './random-world.ts'

const batches = 1_000
const settledQuestions = 24
const views = [ContextView.UNSPECIFIED, ContextView.NONE, ContextView.BASIC, ContextView.FULL]

interface Asked {
  readonly slug: string
  readonly question: Question
}

interface Rig {
  readonly world: RandomWorld
  readonly naive: NaiveEvaluator
  readonly engine: Engine
  readonly catalogue: PermissionCatalogue
  readonly seen: Map<string, number>
  failedReads: number
}

function createRig(seed: number): Rig {
  const dice = new Dice(seed)
  // Waits have dice of their own: how often a read yields must not change which world is played.
  const waits = new Dice(seed + 1)
  const store = new MemoryFacts(async (at, read) => {
    for (let turns = waits.below(4); turns > 0; turns -= 1) await new Promise<void>((resolve) => setImmediate(resolve))
    if (at === 'after' && read === 'rows' && waits.chance(0.02)) {
      rig.failedReads += 1
      throw new Error('connection lost')
    }
  })
  const catalogue = new PermissionCatalogue(testPermissions)
  const world = new RandomWorld(store, dice)
  const naive = new NaiveEvaluator()
  naive.setCatalogue(testPermissions)
  const clock = { nowMs: () => world.nowMs, monotonicMs: () => world.nowMs }
  const engine = createEngine({
    reader: store,
    catalogue,
    clock,
    maxTenants: 5,
    maxBindings: 40,
    alarm: () => undefined,
    directoryRevision: () => 3,
  })
  const rig: Rig = { world, naive, engine, catalogue, seen: new Map(), failedReads: 0 }
  for (let count = 0; count < 4; count += 1) naive.putTenant(world.addTenant())
  return rig
}

async function askEngine({ engine, world }: Rig, { slug, question }: Asked): Promise<Decision> {
  for (let attempt = 0; attempt < 20; attempt += 1) {
    const snapshot = await engine.snapshotBySlug(slug)
    try {
      return snapshot === undefined ? noAccess : decide(snapshot, question, world.nowMs)
    } catch (error) {
      // The tenant was put out of memory between the two lines above; the caller asks again.
      if (!(error instanceof TenureError) || error.reason !== 'STALE') throw error
    }
  }
  throw new Error('never got a current snapshot')
}

function said(decision: Decision): string {
  const { context } = answerMessage(decision, ContextView.FULL)
  return JSON.stringify([decision.reason, decision.allow, context?.permissions ?? []])
}

function expected({ naive, world }: Rig, { slug, question }: Asked): string {
  const { reason, permissions } = naive.ask(slug, question, world.nowMs)
  return JSON.stringify([reason, reason === 'GRANTED', permissions])
}

function anyQuestion({ world }: Rig): Asked {
  const stored = world.dice.pick([...world.store.tenants.values()])
  const slug = world.dice.chance(0.98) ? stored.tenant.slug : 'no-such-tenant'
  return { slug, question: world.question(stored) }
}

/** Commits while questions are asked: each answer must be one of those that were right at some moment in between. */
async function changeWhileAsking(rig: Rig, where: string): Promise<void> {
  const { world, naive, engine } = rig
  const { dice } = world
  const asked = Array.from({ length: 6 }, () => anyQuestion(rig))
  const right = asked.map((one) => new Set([expected(rig, one)]))
  const answers: Promise<Decision>[] = []
  const commits: Promise<void>[] = []
  for (let count = 1 + dice.below(4); count > 0; count -= 1) {
    while (answers.length < asked.length && dice.chance(0.5)) {
      answers.push(askEngine(rig, asked[answers.length] as Asked))
    }
    const stored = dice.pick([...world.store.tenants.values()])
    const change = world.change(stored)
    naive.follow(stored, change)
    for (const [at, one] of asked.entries()) right[at]?.add(expected(rig, one))
    commits.push(engine.committed(change))
    if (dice.chance(0.05)) engine.drop(stored.tenant.tenantId)
    if (dice.chance(0.5)) await new Promise<void>((resolve) => setImmediate(resolve))
  }
  while (answers.length < asked.length) answers.push(askEngine(rig, asked[answers.length] as Asked))
  const decisions = await Promise.all(answers)
  await Promise.all(commits)
  decisions.forEach((decision, at) => {
    expect([...(right[at] ?? [])], `${where} while changing: ${JSON.stringify(asked[at])}`).toContain(said(decision))
  })
}

/** Commits that are heard of in any order. */
async function changeOutOfOrder({ world, naive, engine }: Rig): Promise<void> {
  const stored = world.dice.pick([...world.store.tenants.values()])
  const changes: CommittedChange[] = []
  for (let count = 0; count < 3; count += 1) {
    const change = world.change(stored)
    naive.follow(stored, change)
    changes.unshift(change)
  }
  await Promise.all(changes.map((change) => engine.committed(change)))
}

function changeSurroundings({ world, naive, engine, catalogue }: Rig): void {
  const { dice, store } = world
  if (dice.chance(0.3)) world.nowMs += dice.below(60)
  if (dice.chance(0.04)) {
    world.toggleCatalogue()
    catalogue.replaceAll(world.catalogue)
    naive.setCatalogue(world.catalogue)
    if (dice.chance(0.5)) engine.catalogueChanged()
  }
  if (store.tenants.size < 6 && dice.chance(0.02)) naive.putTenant(world.addTenant())
}

async function askSettled(rig: Rig, where: string): Promise<void> {
  for (let count = 0; count < settledQuestions; count += 1) {
    const one = anyQuestion(rig)
    const decision = await askEngine(rig, one)
    expect(said(decision), `${where}: ${JSON.stringify(one)}`).toBe(expected(rig, one))
    rig.seen.set(decision.reason, (rig.seen.get(decision.reason) ?? 0) + 1)
    const view = rig.world.dice.pick(views)
    const decoded = fromBinary(AuthorizeResponseSchema, answerBytes(decision, view))
    expect(decoded, where).toEqual(answerMessage(decision, view))
  }
}

async function expectCurrent({ engine, world }: Rig, stored: StoredTenant, where: string): Promise<void> {
  const { tenantId, revision } = stored.tenant
  await engine.atLeast(tenantId, revision)
  expect((await engine.snapshotById(tenantId))?.revision, where).toBe(revision)
  expect(world.store.tenants.get(tenantId), where).toBe(stored)
}

describe('the engine and plain SQL over the same facts', () => {
  test.each([20_261_122, 7])(
    'never disagree, whatever changes meanwhile (seed %i)',
    { timeout: 120_000 },
    async (seed) => {
      const rig = createRig(seed)
      for (let batch = 0; batch < batches; batch += 1) {
        const where = `seed ${seed}, batch ${batch}`
        changeSurroundings(rig)
        if (rig.world.dice.chance(0.2)) await changeOutOfOrder(rig)
        else await changeWhileAsking(rig, where)
        await askSettled(rig, where)
        await expectCurrent(rig, rig.world.dice.pick([...rig.world.store.tenants.values()]), where)
      }
      // A run that never met a rule would prove nothing about it.
      const met = [...rig.seen].filter(([, count]) => count >= 20).map(([reason]) => reason)
      expect(met.sort()).toEqual([
        'CREDENTIAL_EXPIRED',
        'CREDENTIAL_REVOKED',
        'GRANTED',
        'NO_ACCESS',
        'PERMISSION_MISSING',
        'PERMISSION_UNKNOWN',
        'TENANT_READ_ONLY',
        'TENANT_SUSPENDED',
        'UNAUTHENTICATED',
        'WORKSPACE_ARCHIVED',
      ])
      expect(rig.failedReads).toBeGreaterThan(0)
      expect(rig.engine.stats().rowRereads).toBeGreaterThan(100)
      rig.naive.close()
    },
  )
})
