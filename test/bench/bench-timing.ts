import { formatApiKey, parseApiKey } from '../../src/credentials/api-key.ts'
import { AccessService } from '../../src/gen/tenure/v1/access_service_pb.ts'
import { everyMethod, methodName } from '../attack/caller.ts'
import { type Attack, attacksOn, requestOf } from '../attack/foreign-table.ts'
import { type ForeignWorld, openForeignWorld } from '../attack/foreign-world.ts'
import { disposeOnSignal, readOptions } from './bench-run.ts'
import { circumstances, printCircumstances, printTable, quantile } from './bench-table.ts'

/**
 * How long it takes to be refused what is another tenant's, beside what never was: every pair of the table of
 * test/attack/foreign-names.test.ts, over and over, in both orders. Reports, and never fails: a clock is no proof.
 */
const { json, numbers } = readOptions({ rounds: 12 })
const { rounds } = numbers
/** Rounds before the first that counts. */
const warmUps = 2
/** Beyond both, somebody could tell the two apart with patience: look for the cause. */
const [lookFromShare, lookFromZ] = [0.1, 5]

interface Sample {
  readonly foreignMs: number
  readonly unknownMs: number
  /** The same question of nobody's name a second time: what chance does. */
  readonly againMs: number
}

interface Group {
  readonly group: string
  readonly pairs: number
  readonly foreignMs: number
  readonly unknownMs: number
  readonly differenceMs: number
  /** How often the foreign one was the slower; 0.5: a coin. */
  readonly slowerShare: number
  readonly z: number
}

async function timeOf(
  world: ForeignWorld,
  attack: Attack,
  value: string,
): Promise<{ readonly ms: number; readonly code: string }> {
  const request = requestOf(world, attack, value)
  const startMs = performance.now()
  const { code } = await world.ask('native gRPC', attack.method, request, attack.caller)
  return { ms: performance.now() - startMs, code }
}

async function sampleOf(world: ForeignWorld, attack: Attack, isForeignFirst: boolean): Promise<Sample | undefined> {
  const { existing, unknown } = attack.pair
  const [one, other] = isForeignFirst ? [existing, unknown] : [unknown, existing]
  const first = await timeOf(world, attack, one)
  const second = await timeOf(world, attack, other)
  const again = await timeOf(world, attack, unknown)
  // What is done costs what it does; told apart are answers to what is not.
  if (first.code === 'ok' && !/Authorize/.test(attack.method.name)) return undefined
  const [foreignMs, unknownMs] = isForeignFirst ? [first.ms, second.ms] : [second.ms, first.ms]
  return { foreignMs, unknownMs, againMs: again.ms }
}

function compared(group: string, pairs: readonly (readonly [number, number])[]): Group {
  const differences = pairs.map(([one, other]) => one - other)
  const slower = differences.filter((each) => each > 0).length
  return {
    ...{ group, pairs: pairs.length, differenceMs: quantile(differences, 0.5) },
    foreignMs: quantile(
      pairs.map(([one]) => one),
      0.5,
    ),
    unknownMs: quantile(
      pairs.map(([, other]) => other),
      0.5,
    ),
    slowerShare: slower / pairs.length,
    z: (slower - pairs.length / 2) / Math.sqrt(pairs.length / 4),
  }
}

function groupsBy(samples: readonly (readonly [Attack, Sample])[], nameOf: (attack: Attack) => string): Group[] {
  const grouped = Map.groupBy(samples, ([attack]) => nameOf(attack))
  return [...grouped]
    .map(([name, each]) =>
      compared(
        name,
        each.map(([, { foreignMs, unknownMs }]) => [foreignMs, unknownMs]),
      ),
    )
    .sort((a, b) => Math.abs(b.slowerShare - 0.5) - Math.abs(a.slowerShare - 0.5))
}

const looksDifferent = ({ slowerShare, z }: Group) =>
  Math.abs(slowerShare - 0.5) > lookFromShare && Math.abs(z) > lookFromZ

function print(title: string, groups: readonly Group[]): void {
  process.stdout.write('\n')
  printTable(
    [title, 'pairs', 'foreign µs', 'unknown µs', 'median difference µs', 'foreign slower', 'z', ''],
    groups.map((each) => [
      ...[each.group, each.pairs, Math.round(each.foreignMs * 1000), Math.round(each.unknownMs * 1000)],
      ...[Math.round(each.differenceMs * 1000), `${(each.slowerShare * 100).toFixed(1)}%`, each.z.toFixed(1)],
      looksDifferent(each) ? 'LOOK' : '',
    ]),
  )
}

/** Keys that are right to the last check digit and nobody's: how much does the server look before it says so? */
async function timeKeys(world: ForeignWorld): Promise<readonly Group[]> {
  const { environment } = world.server.config
  const neverUid = '01900000-0000-7000-8000-00000000dead'
  const keyId = parseApiKey(world.globex.ownerKey, environment)?.apiKeyId ?? ''
  const keyOf = (tenant: string, id: string) => formatApiKey(environment, tenant, id, Buffer.alloc(32, 9))
  const pairs: readonly (readonly [string, string, string])[] = [
    ['key of another tenant, wrong secret', keyOf(world.globex.uid, keyId), keyOf(world.globex.uid, neverUid)],
    ['no key of a tenant that stands', keyOf(world.globex.uid, neverUid), keyOf(neverUid, neverUid)],
  ]
  const { getCaller } = AccessService.method
  const timeOfKey = async (key: string) => {
    const startMs = performance.now()
    await world.ask('native gRPC', getCaller, {}, { key, power: 'tenant' })
    return performance.now() - startMs
  }
  const groups: Group[] = []
  for (const [what, one, other] of pairs) {
    const times: (readonly [number, number])[] = []
    for (let round = 0; round < rounds * 20; round += 1) {
      const isFirst = round % 2 === 0
      const first = await timeOfKey(isFirst ? one : other)
      const second = await timeOfKey(isFirst ? other : one)
      times.push(isFirst ? [first, second] : [second, first])
    }
    groups.push(compared(what, times))
  }
  return groups
}

async function run(): Promise<void> {
  await using world = await openForeignWorld()
  disposeOnSignal(world)
  const attacks = everyMethod
    .flatMap((method) => attacksOn(world, method))
    // Whoever asks under its own name knows that it does: how long that takes tells nothing.
    .filter(({ kind, pair }) => !/^(?:requestId|newId)$/.test(kind) && !/^(?:malformed|nothing)/.test(pair.case))
  const samples: (readonly [Attack, Sample])[] = []
  for (let round = -warmUps; round < rounds; round += 1) {
    for (const [at, attack] of attacks.entries()) {
      const sample = await sampleOf(world, attack, (round + at) % 2 === 0)
      if (round >= 0 && sample !== undefined) samples.push([attack, sample])
    }
  }
  const keys = await timeKeys(world)
  const control = compared(
    'unknown, and unknown again',
    // The second is always the later one, and so by turns the one and the other.
    samples.map(([, { unknownMs, againMs }], at) => (at % 2 === 0 ? [unknownMs, againMs] : [againMs, unknownMs])),
  )
  const kinds = groupsBy(
    samples,
    ({ kind, pair, caller }) => `${kind === 'name' ? pair.case.replace(/ tenants\/.*/, '') : kind}, ${caller.power}`,
  )
  const methods = groupsBy(samples, ({ method }) => methodName(method))
  if (json) {
    process.stdout.write(
      `${JSON.stringify({ ...circumstances(), rounds, control, kinds, methods, keys }, undefined, 2)}\n`,
    )
    return
  }
  printCircumstances()
  process.stdout.write(
    `${samples.length.toLocaleString('en')} pairs, each in both orders by turns; one call at a time, native gRPC\n`,
  )
  print('control', [control])
  print('what is named, by whose credential', kinds)
  print('method', methods.slice(0, 15))
  print('credential, beside one that names less', keys)
  const found = [...kinds, ...methods].filter(looksDifferent).length
  process.stdout.write(
    `\n${found === 0 ? 'Nothing differs in class' : `${found} to LOOK at`}: foreign slower or faster by more than chance, and in more than ${50 + lookFromShare * 100}% of pairs.\n`,
  )
}

await run()
process.exit(0)
