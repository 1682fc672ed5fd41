import { type AccessChecks, compareFreshness, createAccessChecks, recoveryBoundMs } from './crash-access.ts'
import { createChance } from './crash-chance.ts'
import { compareJournal, compareRivals } from './crash-checks.ts'
import { type ClientTally, newTally, type Settled, settleWrite } from './crash-client.ts'
import { compareEverything, compareOpenTransactions } from './crash-end.ts'
import { type Fault, type FaultEnd, type Stage, shuffledFaults } from './crash-faults.ts'
import type { Realm, Thing, World } from './crash-model.ts'
import { PacketSwitch } from './crash-packets.ts'
import { TrialPlan } from './crash-plan.ts'
import type { CrashRig } from './crash-rig.ts'
import { compareThing, placeOf, readThings } from './crash-rows.ts'
import { seedWorld } from './crash-world.ts'

export interface CrashOptions {
  readonly seed: number
  readonly trials: number
  /** Hears of every trial when it is over. */
  readonly progress?: (trial: TrialFigures) => void
}

export interface TrialFigures {
  readonly trial: number
  readonly fault: string
  readonly strikes: number
  /** From the end of the fault to the first write each server acknowledged; of a server that was started anew nothing is said. */
  readonly recoveryMs: readonly number[]
  /** The longest that a client with a request id had to wait for an answer. */
  readonly slowestWriteMs: number
  readonly writes: {
    readonly sent: number
    readonly attempts: number
    readonly acknowledged: number
    readonly refused: number
    readonly unanswered: number
  }
}

export interface CrashResult {
  readonly trials: readonly TrialFigures[]
  readonly seconds: number
  /** Guarantees that were broken, in words. Empty: none. The first trial that breaks one is the last. */
  readonly broken: readonly string[]
  /** How often the servers logged what. */
  readonly logged: ReadonlyMap<string, number>
}

/** Trial after trial: writes through both servers, one fault in their midst, and then everything compared with what was promised. */
export async function runCrashTrials(rig: CrashRig, { seed, trials, progress }: CrashOptions): Promise<CrashResult> {
  const startMs = performance.now()
  const stage: Stage = { rig, switches: rig.servers.map(({ network }) => new PacketSwitch(network)) }
  const world = await seedWorld(rig)
  const access = createAccessChecks(rig.servers, rig.rootKey)
  const figures: TrialFigures[] = []
  const broken: string[] = []
  for (const [index, fault] of shuffledFaults(trials, createChance(seed, 0)).entries()) {
    const trial = new Trial(stage, world, access, fault, { seed, number: index + 1 })
    broken.push(...(await trial.run()))
    if (trial.figures !== undefined) {
      figures.push(trial.figures)
      progress?.(trial.figures)
    }
    if (broken.length > 0) break
  }
  if (broken.length === 0) {
    const last = await writeUndisturbed(rig, world, { seed, trial: trials + 1 })
    broken.push(...(await compareEverything(rig, world, access, last)))
  }
  return { trials: figures, seconds: (performance.now() - startMs) / 1_000, broken, logged: logOf(rig) }
}

function writeUndisturbed(
  { servers }: CrashRig,
  world: World,
  at: { seed: number; trial: number },
): Promise<Settled[]> {
  const plan = new TrialPlan(world, createChance(at.seed, at.trial), at.trial)
  plan.touchTenants()
  const tally = newTally()
  return Promise.all(plan.writes.map((write) => settleWrite(write, servers, tally)))
}

function logOf({ servers }: CrashRig): Map<string, number> {
  const all = new Map<string, number>()
  for (const { logged } of servers)
    for (const [message, count] of logged) all.set(message, (all.get(message) ?? 0) + count)
  return all
}

class Trial {
  figures: TrialFigures | undefined
  readonly #stage: Stage
  readonly #world: World
  readonly #access: AccessChecks
  readonly #fault: Fault
  readonly #at: { readonly seed: number; readonly number: number }
  readonly #tally = newTally()

  constructor(stage: Stage, world: World, access: AccessChecks, fault: Fault, at: { seed: number; number: number }) {
    this.#stage = stage
    this.#world = world
    this.#access = access
    this.#fault = fault
    this.#at = at
  }

  /** Answers what it broke. */
  async run(): Promise<string[]> {
    const { seed, number } = this.#at
    const { rig } = this.#stage
    const chance = createChance(seed, number)
    const plan = new TrialPlan(this.#world, chance, number)
    plan.draw(4 + chance.below(4))
    const probes = rig.servers.map((_, index) => plan.probe(index))
    const inflicted = this.#fault.inflict(this.#stage, chance)
    await inflicted.ready
    const sent = plan.writes.map((write) => settleWrite(write, chance.shuffled(rig.servers), this.#tally))
    const writes = Promise.all(sent).finally(() => inflicted.stop())
    const probed = inflicted.over.then(async (end) => ({
      end,
      // Each server alone: another one must not hide that it cannot write.
      settled: await Promise.all(
        rig.servers.flatMap((server, index) => {
          const probe = probes[index]
          return probe === undefined ? [] : [settleWrite(probe, [server], this.#tally)]
        }),
      ),
    }))
    const [written, { end, settled: alone }] = await Promise.all([writes, probed])
    const settled = [...written, ...alone]
    this.figures = figuresOf(number, this.#fault, end, rig, settled, this.#tally)
    const broken = [
      ...lateAnswers(this.figures, this.#tally),
      ...seenByCallers(this.#fault, this.#tally),
      ...(await this.#compare(settled)),
    ]
    for (const { write } of settled) for (const thing of write.touches) thing.busy = false
    return broken.map((what) => `trial ${number} of seed ${seed}, ${this.#fault.name}: ${what}`)
  }

  async #compare(settled: readonly Settled[]): Promise<string[]> {
    const { rig } = this.#stage
    const broken = compareRivals(settled)
    const byRealm = Map.groupBy(settled, ({ write }) => write.realm)
    const door = await rig.openDoor()
    try {
      await door.query('START TRANSACTION WITH CONSISTENT SNAPSHOT')
      for (const [realm, each] of byRealm) {
        broken.push(...(await compareJournal(door, realm, each)))
        const touched = new Set(each.flatMap(({ write }) => [...write.touches]))
        broken.push(...(await compareRows(door, realm, [...touched])))
      }
      broken.push(...(await compareOpenTransactions(door)))
    } finally {
      await door.end()
    }
    for (const [realm, each] of byRealm) {
      if (realm.slug === '' || broken.length > 0) continue
      broken.push(
        ...(await this.#access.compareNow(
          realm,
          each.flatMap(({ write }) => [...write.touches]),
        )),
      )
    }
    broken.push(...(await this.#access.compareSettled()), ...(await compareFreshness(rig.servers, rig.rootKey)))
    for (const { name, complaints } of rig.servers) broken.push(...complaints.map((what) => `${name}: ${what}`))
    return broken
  }
}

async function compareRows(
  door: Parameters<typeof readThings>[0],
  realm: Realm,
  touched: readonly Thing[],
): Promise<string[]> {
  const kinds = [...new Set(touched.map(({ kind }) => kind))]
  const stored = await readThings(
    door,
    realm,
    kinds,
    touched.map(({ slug }) => slug),
  )
  return touched.flatMap((thing) => (thing.uncertain ? [] : compareThing(thing, stored.get(placeOf(thing)))))
}

/** A little less than a statement may take: whoever waits for a connection that is gone is found out by this. */
const slowCallMs = 4_900

function lateAnswers({ recoveryMs }: TrialFigures, { slowestMs }: ClientTally): string[] {
  const late = recoveryMs
    .filter((ms) => ms > recoveryBoundMs)
    .map((ms) => `a server wrote again only ${Math.round(ms)} ms after the fault had ended`)
  return slowestMs < slowCallMs ? late : [...late, `a call took ${Math.round(slowestMs)} ms`]
}

/** Of other reasons callers may hear: what the fault before this one made stale is read again when it is asked for. */
function seenByCallers({ hidden }: Fault, { failures }: ClientTally): string[] {
  return hidden && failures.includes('DATABASE_UNAVAILABLE') ? ['a caller heard of it'] : []
}

function figuresOf(
  trial: number,
  { name: fault }: Fault,
  { endedMs, strikes, restarted }: FaultEnd,
  { servers }: CrashRig,
  settled: readonly Settled[],
  { attempts, acknowledgements }: ClientTally,
): TrialFigures {
  const recoveryMs = servers
    .filter((server) => server !== restarted)
    .map((server) => {
      const first = acknowledgements.find((each) => each.server === server && each.atMs >= endedMs)
      return (first?.atMs ?? Number.POSITIVE_INFINITY) - endedMs
    })
  const outcomes = settled.flatMap((each) => each.outcomes)
  const count = (kind: string) => outcomes.filter((outcome) => outcome.kind === kind).length
  const answered = settled.filter(({ write }) => write.requestId !== '')
  return {
    ...{ trial, fault, strikes, recoveryMs },
    slowestWriteMs: Math.max(0, ...answered.map(({ sentMs, settledMs }) => settledMs - sentMs)),
    writes: {
      ...{ sent: outcomes.length, attempts },
      ...{ acknowledged: count('acknowledged'), refused: count('refused'), unanswered: count('unanswered') },
    },
  }
}
