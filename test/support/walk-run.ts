import { toJsonString } from '@bufbuild/protobuf'
import { type Chance, createChance } from './crash-chance.ts'
import type { WalkServer, WalkWire } from './walk-client.ts'
import { authorize, batchAuthorize, getCaller, issueToken } from './walk-decisions.ts'
import { hostileWrite } from './walk-hostile.ts'
import type { WalkKey } from './walk-model.ts'
import { drawWrite } from './walk-places.ts'
import { judge, type WalkCaller, type WalkQuestion } from './walk-question.ts'
import { accessSecret, getOne, getTenant, listAll } from './walk-reads.ts'
import { isLive } from './walk-rules.ts'
import { type WalkWorld, walkTenants } from './walk-world.ts'

type Draw = (world: WalkWorld, chance: Chance, caller: WalkCaller) => WalkQuestion

const drawOf: Readonly<Record<string, readonly [number, Draw]>> = {
  Authorize: [46, authorize],
  BatchAuthorize: [5, batchAuthorize],
  GetCaller: [6, getCaller],
  Get: [16, getOne],
  List: [8, listAll],
  GetTenant: [4, getTenant],
  AccessSecretVersion: [5, accessSecret],
  'IssueToken and verify': [3, issueToken],
  'hostile write': [7, hostileWrite],
}
const weighted = Object.entries(drawOf).flatMap(([what, [weight, draw]]) =>
  Array.from({ length: weight }, () => [what, draw] as const),
)

export interface WalkFigures {
  readonly steps: number
  readonly seconds: number
  /** How often each was asked, and what the answers were. */
  readonly asked: ReadonlyMap<string, { readonly calls: number; readonly answered: number; readonly refused: number }>
  readonly decisions: number
  readonly writes: number
  /** Names of the methods that changed something. */
  readonly changed: ReadonlySet<string>
  /** Answered by a server that said it was behind. */
  readonly stale: number
  /** Where more than one state could have been answered from. */
  readonly ambiguous: number
  readonly ids: number
  readonly words: number
  /** What is wrong, in order, each with what it takes to see it again. */
  readonly faults: readonly string[]
}

export interface WalkOptions {
  readonly seed: number
  readonly steps: number
  /** Told now and then how far it is. */
  readonly progress?: (steps: number) => void
}

/** As many questions are under way at once. */
const together = 250
/** Beside them, one after the other in a tenant. */
const mostChanges = 3
/** How likely a tenant that ended comes back: it must be gone for longer than a server may be behind. */
const backToLife = 0.06

/** Walks until the steps are done or something is wrong. The same seed asks the same questions in the same order. */
export async function runWalk(world: WalkWorld, { seed, steps, progress }: WalkOptions): Promise<WalkFigures> {
  const chance = createChance(seed, 2)
  const writers = world.histories.map((_, tenant) => createChance(seed, 10 + tenant))
  const counted = new Counted()
  const startMs = performance.now()
  while (counted.steps < steps && counted.faults.length === 0) {
    await walkTogether(world, chance, writers, counted)
    progress?.(counted.steps)
  }
  const seconds = (performance.now() - startMs) / 1000
  const about = `seed ${seed}, step`
  return {
    ...counted.figures(),
    seconds,
    ...world.leaks.figures,
    faults: counted.faults.map((each) => `${about} ${each}`),
  }
}

async function walkTogether(
  world: WalkWorld,
  chance: Chance,
  writers: readonly Chance[],
  counted: Counted,
): Promise<void> {
  const begun = counted.steps
  const questions = Array.from({ length: together }, (_, at) => {
    const [what, draw] = chance.pick(weighted)
    const question = draw(world, chance, callerFor(world, chance, what))
    return { what, question, step: begun + at, server: chance.pick(world.servers), wire: wireFor(chance) }
  })
  const [, answers] = await Promise.all([
    Promise.all(writers.map((writer, tenant) => changeTenant(world, writer, tenant, counted))),
    Promise.all(
      questions.map(({ question, server, wire }) => server.call(wire, question.call, question.caller.secret)),
    ),
  ])
  counted.steps += questions.length
  for (const [at, { what, question, step, server, wire }] of questions.entries()) {
    const answer = answers[at]
    if (answer === undefined) continue
    const { fault, isStale, choices } = await judge(question, answer, world.histories)
    const leak = world.leaks.find(answer.raw, question.mayName)
    counted.count(what, question, answer.reason, isStale, choices)
    for (const each of [fault, leak === '' ? '' : `LEAK: ${leak}`]) {
      if (each !== '')
        counted.faults.push(
          `${step}: ${what} of ${nameOf(world, question.caller)} on ${server.name} over ${wire}: ${said(question.call)}\n  ${each}`,
        )
    }
  }
}

/** By chance of its own, so that what is changed does not hang on how fast the others are. */
async function changeTenant(world: WalkWorld, chance: Chance, tenant: number, counted: Counted): Promise<void> {
  // Always the same one: another could refuse what it has not heard of yet.
  const server = world.servers[tenant % world.servers.length] as WalkServer
  const changes = chance.isTrue(0.6) ? 1 + chance.below(mostChanges) : 0
  for (let at = 0; at < changes; at += 1) {
    if (world.tenant(tenant).state !== 'ACTIVE' && !chance.isTrue(backToLife)) continue
    const write = drawWrite(world.tenant(tenant), chance, world.next(tenant))
    const fault = await world.write(write, server)
    counted.steps += 1
    counted.writes += 1
    counted.changed.add(write.call.method.name)
    if (fault !== '') counted.faults.push(`${counted.steps}: ${said(write.call)}: ${fault}`)
  }
}

/** Mostly keys of tenants, the dead ones too; the platform asks what services ask. */
function callerFor(world: WalkWorld, chance: Chance, what: string): WalkCaller {
  const needsTenant = what === 'IssueToken and verify' || what === 'hostile write'
  if (!needsTenant && chance.isTrue(0.3)) return world.root
  const tenant = chance.below(walkTenants)
  const state = world.tenant(tenant)
  const keys = [...state.keys.values()]
  // Of a deleted tenant, those that only that has ended.
  const live = (key: WalkKey) => isLive({ ...state, state: 'ACTIVE' }, key)
  const { name, secret } = chance.pick(chance.isTrue(0.85) ? keys.filter(live) : keys)
  return { tenant, keyName: name, secret }
}

function wireFor(chance: Chance): WalkWire {
  return chance.isTrue(0.8) ? 'grpc' : 'json'
}

function said({ method, request }: WalkQuestion['call']): string {
  return `${method.name} ${toJsonString(method.input, request).replace(/("apiKey":"tenure_)[^"]*/g, '$1…')}`
}

function nameOf(world: WalkWorld, { tenant, keyName }: WalkCaller): string {
  if (tenant === undefined) return 'the platform'
  const key = world.tenant(tenant).keys.get(keyName)
  return `${key?.person} by ${keyName}${key?.isRevoked === true ? ' (revoked)' : ''}`
}

class Counted {
  steps = 0
  writes = 0
  readonly changed = new Set<string>()
  readonly faults: string[] = []
  readonly #asked = new Map<string, { calls: number; answered: number; refused: number }>()
  #decisions = 0
  #stale = 0
  #ambiguous = 0

  count(what: string, { parts }: WalkQuestion, reason: string, isStale: boolean, choices: number): void {
    const known = this.#asked.get(what) ?? { calls: 0, answered: 0, refused: 0 }
    known.calls += 1
    if (reason === '') known.answered += 1
    else known.refused += 1
    this.#asked.set(what, known)
    if (/Authorize/.test(what)) this.#decisions += parts.length
    if (isStale) this.#stale += 1
    if (choices > 1) this.#ambiguous += 1
  }

  figures() {
    const counts = { decisions: this.#decisions, stale: this.#stale, ambiguous: this.#ambiguous }
    return { steps: this.steps, writes: this.writes, changed: this.changed, asked: this.#asked, ...counts }
  }
}
