import { setTimeout as sleep } from 'node:timers/promises'
import { startWriteLoad, type WriteLoadFigures } from './bench-revocation-load.ts'
import { openRevocationWorld, type RevocationWorld } from './bench-revocation-world.ts'
import { disposeOnSignal, readOptions } from './bench-run.ts'
import { circumstances, printCircumstances, printTable, quantile } from './bench-table.ts'

/**
 * How long a deleted membership still counts on another server: asked again and again over one connection, from the
 * acknowledgement of the deletion to the first DENY; and once, with the revision of the deletion, which has to be DENY.
 */
const { json, numbers } = readOptions({ memberships: 300, writes: 200 })
const rounds = 3
const perRound = Math.ceil(numbers.memberships / rounds)
/** `intervalMs` of src/feeds.ts: what a change waits for at most until the other server looks. */
const pollIntervalMs = 250
const goal = { p99Ms: 500, maxMs: 2_000 }
const warmUpAsks = 200
const roundTripAsks = 200

interface Measured {
  readonly load: string
  readonly roundTripsMs: number[]
  readonly byFeedMs: number[]
  readonly byRevisionMs: number[]
  /** Denied before the deletion, allowed after the first DENY, or not denied at its revision. */
  wrong: number
}

/** By this much of a second the deletions are apart at random: one right after the other would always meet the feed when it has just looked. */
function drift(): Promise<void> {
  return sleep(Math.random() * pollIntervalMs)
}

async function timed<T>(work: () => Promise<T>): Promise<{ readonly value: T; readonly ms: number }> {
  const startMs = performance.now()
  const value = await work()
  return { value, ms: performance.now() - startMs }
}

async function measureRoundTrips(world: RevocationWorld, member: string, into: Measured): Promise<void> {
  for (let ask = 0; ask < roundTripAsks; ask += 1) {
    const { value, ms } = await timed(() => world.isAllowed(member))
    if (!value) into.wrong += 1
    into.roundTripsMs.push(ms)
  }
}

async function revokeByFeed(world: RevocationWorld, member: string, into: Measured): Promise<void> {
  if (!(await world.isAllowed(member))) into.wrong += 1
  await drift()
  await world.revoke(member)
  const acknowledgedMs = performance.now()
  while (await world.isAllowed(member));
  into.byFeedMs.push(performance.now() - acknowledgedMs)
  if (await world.isAllowed(member)) into.wrong += 1
}

async function revokeByRevision(world: RevocationWorld, member: string, into: Measured): Promise<void> {
  if (!(await world.isAllowed(member))) into.wrong += 1
  const revision = await world.revoke(member)
  const { value, ms } = await timed(() => world.isAllowed(member, revision))
  if (value) into.wrong += 1
  into.byRevisionMs.push(ms)
}

async function runRound(world: RevocationWorld, name: string, into: Measured): Promise<void> {
  const members = Array.from({ length: perRound * 2 }, (_, index) => `${name}-${index}`)
  await world.addMembers(members)
  // Members made on the other server are there when the feed has told of them.
  const last = members.at(-1) ?? ''
  while (!(await world.isAllowed(last)));
  await measureRoundTrips(world, last, into)
  for (const member of members.slice(0, perRound)) await revokeByFeed(world, member, into)
  for (const member of members.slice(perRound)) await revokeByRevision(world, member, into)
}

function rowsOf(measured: Measured): (readonly (string | number)[])[] {
  const row = (what: string, values: readonly number[]) => [
    `${measured.load}: ${what}`,
    ...[values.length, quantile(values, 0.5), quantile(values, 0.9), quantile(values, 0.99), Math.max(...values)],
  ]
  return [
    row('first DENY by the feed', measured.byFeedMs),
    row('DENY at the revision', measured.byRevisionMs),
    row('ceiling: one Authorize', measured.roundTripsMs),
  ]
}

/** What the feed's interval and one question take together: nothing that polls like this can be sooner at its worst. */
function ceilingMs({ roundTripsMs }: Measured): number {
  return pollIntervalMs + quantile(roundTripsMs, 0.5)
}

function verdictOn(measured: Measured): string {
  const { load, byFeedMs, wrong } = measured
  const p99Ms = quantile(byFeedMs, 0.99)
  const reached = p99Ms <= goal.p99Ms && Math.max(...byFeedMs) <= goal.maxMs
  const part = Math.round((p99Ms / ceilingMs(measured)) * 100)
  return (
    `${load}: p99 is ${part}% of the ceiling of ${ceilingMs(measured).toFixed(0)} ms (interval ${pollIntervalMs} ms + one Authorize); ` +
    `goal p99 ≤ ${goal.p99Ms} ms, always ≤ ${goal.maxMs} ms: ${reached ? 'reached' : 'MISSED'}; wrong answers: ${wrong}`
  )
}

function print(all: readonly Measured[], writes: readonly WriteLoadFigures[]): void {
  printCircumstances()
  process.stdout.write(
    'Two servers on one MySQL; memberships deleted on one, asked about on the other; milliseconds\n\n',
  )
  printTable(['what', 'times', 'p50', 'p90', 'p99', 'max'], all.flatMap(rowsOf))
  process.stdout.write('\n')
  for (const measured of all) process.stdout.write(`${verdictOn(measured)}\n`)
  for (const [round, { perSecond, failed, dropped, latenciesMs }] of writes.entries()) {
    process.stdout.write(
      `writes of round ${round + 1}: ${perSecond.toFixed(0)}/s of ${numbers.writes}/s, p99 ${quantile(latenciesMs, 0.99).toFixed(0)} ms, ${failed} failed, ${dropped} dropped\n`,
    )
  }
}

function newMeasured(load: string): Measured {
  return { load, roundTripsMs: [], byFeedMs: [], byRevisionMs: [], wrong: 0 }
}

const say = (what: string) => process.stderr.write(`${what}\n`)
say('Starting a MySQL and two servers')
await using world = await openRevocationWorld()
disposeOnSignal(world)
await world.addMembers(['warm-up'])
for (let ask = 0; ask < warmUpAsks; ask += 1) await world.isAllowed('warm-up')
const quiet = newMeasured('quiet')
const busy = newMeasured(`${numbers.writes} writes/s elsewhere`)
const writes: WriteLoadFigures[] = []
for (let round = 1; round <= rounds; round += 1) {
  await runRound(world, `quiet-${round}`, quiet)
  say(`round ${round} of ${rounds}, quiet: p99 ${quantile(quiet.byFeedMs, 0.99).toFixed(0)} ms so far`)
  const load = startWriteLoad(numbers.writes, (number) => world.writeElsewhere(number))
  await runRound(world, `busy-${round}`, busy)
  writes.push(await load.stop())
  say(`round ${round} of ${rounds}, busy: p99 ${quantile(busy.byFeedMs, 0.99).toFixed(0)} ms so far`)
}
const wrong = quiet.wrong + busy.wrong
if (json) {
  const summary = [quiet, busy].map((measured) => ({
    ...{ load: measured.load, wrong: measured.wrong, ceilingMs: ceilingMs(measured) },
    rows: rowsOf(measured).map(([what, times, p50, p90, p99, max]) => ({ what, times, p50, p90, p99, max })),
  }))
  const loads = writes.map(({ perSecond, failed, dropped, latenciesMs }) => ({
    ...{ perSecond, failed, dropped, p99Ms: quantile(latenciesMs, 0.99) },
  }))
  process.stdout.write(
    `${JSON.stringify({ ...circumstances(), pollIntervalMs, goal, measured: summary, writes: loads }, undefined, 2)}\n`,
  )
} else print([quiet, busy], writes)
// A wrong answer is a failure; a slow one is a figure.
process.exitCode = wrong === 0 ? 0 : 1
