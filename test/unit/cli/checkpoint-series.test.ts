import { randomFillSync } from 'node:crypto'
import { beforeAll, describe, expect, test } from 'vitest'
import { CheckpointReader } from '../../../src/cli/checkpoint-series.ts'
import { type CheckpointDocument, digestOf } from '../../../src/jwt/audit-checkpoint.ts'
import { type DocumentType, signDocument } from '../../../src/jwt/signed-document.ts'
import { makeSigningKey, openSigningKey, type SigningKey } from '../../../src/jwt/signing-key.ts'
import { openVerificationKeys, type VerificationKeys } from '../../../src/jwt/verification-keys.ts'

let ours: SigningKey
let others: SigningKey
let keys: VerificationKeys

beforeAll(async () => {
  const made = await makeSigningKey((bytes) => void randomFillSync(bytes))
  ours = await openSigningKey(made)
  others = await openSigningKey(await makeSigningKey((bytes) => void randomFillSync(bytes)))
  keys = (await openVerificationKeys({ keys: [made.publicJwk] })) ?? new Map()
})

type Chain = CheckpointDocument['chains'][number]

const chain = (sequence: number, more: Partial<Chain> = {}): Chain => ({
  ...{ tenant: 'tenants/acme', tenantUid: 'u', chain: 'authority', timeline: 'first', sequence },
  ...{ hash: sequence.toString(16).padStart(64, '0'), ...more },
})

interface Step {
  readonly chains: readonly Chain[]
  readonly number?: number
  readonly createTimeMs?: number
  readonly previous?: string
  readonly key?: () => SigningKey
  readonly type?: DocumentType
}

/** Lines as a server ships them, each on the one before unless it says otherwise. */
async function linesOf(steps: readonly Step[]): Promise<string[]> {
  const lines: string[] = []
  let previous = ''
  for (const [at, step] of steps.entries()) {
    const number = step.number ?? at + 1
    const createTimeMs = step.createTimeMs ?? number
    const document = { number, createTimeMs, previous: step.previous ?? previous, chains: step.chains }
    const jws = await signDocument(step.type ?? 'tenure-audit-checkpoint', document, (step.key ?? (() => ours))())
    previous = digestOf(jws)
    lines.push(JSON.stringify({ type: 'audit.checkpoint', timestamp: '', data: { number, checkpoint: jws } }))
  }
  return lines
}

async function problemsOf(lines: readonly string[]): Promise<readonly string[]> {
  const reader = new CheckpointReader(keys)
  for (const [at, line] of lines.entries()) await reader.add(line, `Line ${at + 1}`)
  return reader.series().problems
}

test('a whole series in any order, with lines told twice and others between, has no problem and knows every point', async () => {
  const lines = await linesOf([{ chains: [chain(1)] }, { chains: [chain(3)] }, { chains: [chain(7)] }])
  const reader = new CheckpointReader(keys)
  for (const line of [...lines.toReversed(), 'a log', '{"msg":"a log"}', '{"cut', ...lines]) await reader.add(line, '')
  const { problems, first, last, chains } = reader.series()
  expect({ problems, first, last }).toEqual({ problems: [], first: 1, last: 3 })
  expect(chains[0]?.points.map(({ sequence }) => sequence)).toEqual([1, 3, 7])
})

test.each<[string, readonly Step[], RegExp]>([
  ['a number left out', [{ chains: [] }, { chains: [], number: 4 }], /^Checkpoints 2 to 3 are missing\.$/],
  ['one that does not go on', [{ chains: [] }, { chains: [], previous: 'a'.repeat(64) }], /2 does not go on from/],
  ['a chain that went back', [{ chains: [chain(5)] }, { chains: [chain(4)] }], /is at 4 in checkpoint 2, and was at 5/],
  [
    'a chain with another hash at the same place',
    [{ chains: [chain(5)] }, { chains: [chain(5, { hash: 'b'.repeat(64) })] }],
    /is at 5 in checkpoint 2, and was at 5/,
  ],
  [
    'a restored database',
    [{ chains: [chain(5)] }, { chains: [chain(6, { timeline: 'second' })] }],
    /^1 chain goes on from a restored database, the first in checkpoint 2: tenants\/acme, chain authority\. .* --restored 1;/,
  ],
  ['a signature of somebody else', [{ chains: [], key: () => others }], /^Line 1 is not what any of these keys signed/],
  ['another document of ours', [{ chains: [], type: 'tenure-isolation-report' }], /^Line 1 is not what any of these/],
  ['a document that is none', [{ chains: [chain(1, { hash: 'x' })] }], /^Line 1 is not what any of these keys signed/],
])('a series is not whole with %s', async (_, steps, problem) => {
  const problems = await problemsOf(await linesOf(steps))
  expect(problems).toHaveLength(1)
  expect(problems[0]).toMatch(problem)
})

describe('after a restore', () => {
  /** 1 to 5, restored to 2, 3 to 4 on that: shorter than what was left behind. */
  async function restoredSeries(again: Partial<Chain> = { timeline: 'second' }): Promise<CheckpointReader> {
    const chains = (sequence: number, more: Partial<Chain> = {}) => ({ chains: [chain(sequence, more)] })
    const before = await linesOf([1, 2, 3, 4, 5].map((sequence) => chains(sequence)))
    const second = JSON.parse(before[1] ?? '') as { data: { checkpoint: string } }
    const after = await linesOf(
      [3, 4].map((number, at) => ({
        ...chains(number, { hash: `${number}`.repeat(64), ...again }),
        ...{ number, createTimeMs: 100 + number },
        ...(at === 0 ? { previous: digestOf(second.data.checkpoint) } : {}),
      })),
    )
    const reader = new CheckpointReader(keys)
    for (const line of [...after, ...before]) await reader.add(line, '')
    return reader
  }

  test('what was signed on the database before it is told of as such, and nothing is compared with it', async () => {
    const { problems, count, last, putBack, chains } = (await restoredSeries()).series()
    expect(problems).toEqual([
      expect.stringMatching(
        /^Checkpoints 3 to 5 were signed on a database that was then put back to checkpoint 2\. .* --restored 2;/,
      ),
      expect.stringMatching(/^1 chain goes on from a restored database, the first in checkpoint 3/),
    ])
    expect({ count, last, putBack }).toEqual({ count: 7, last: 4, putBack: 3 })
    expect(chains[0]?.points.map(({ hash }) => hash.at(-1))).toEqual(['1', '2', '3', '4'])
  })

  test('one that is known of is no problem; another one is', async () => {
    const reader = await restoredSeries()
    expect(reader.series([2]).problems).toEqual([])
    expect(reader.series([1]).problems).toHaveLength(2)
    expect(reader.series([3]).problems).toHaveLength(2)
  })

  test('a database that was put back without a new timeline is compared all the way', async () => {
    const { problems, chains } = (await restoredSeries({})).series([2])
    expect(problems).toEqual([])
    expect(chains[0]?.points.map(({ sequence }) => sequence)).toEqual([1, 2, 3, 4])
  })

  test('a later restore is not covered by an earlier one that is known of', async () => {
    const lines = await linesOf(
      ['first', 'second', 'third'].map((timeline, at) => ({ chains: [chain(at + 1, { timeline })] })),
    )
    const reader = new CheckpointReader(keys)
    for (const line of lines) await reader.add(line, '')
    expect(reader.series([1]).problems).toEqual([
      expect.stringMatching(/the first in checkpoint 3: .* --restored 1,2;/),
    ])
    expect(reader.series([1, 2]).problems).toEqual([])
  })

  test('one that is known of excuses no second one to the same checkpoint', async () => {
    const reader = await restoredSeries()
    const [first] = await linesOf([{ chains: [chain(1)] }])
    const { data } = JSON.parse(first ?? '') as { data: { checkpoint: string } }
    const second = await linesOf([
      { chains: [chain(2)], number: 2, createTimeMs: 2, previous: digestOf(data.checkpoint) },
      { chains: [chain(9, { timeline: 'third' })], number: 3, createTimeMs: 9_000 },
    ])
    for (const line of second) await reader.add(line, '')
    expect(reader.series([2]).problems).toEqual([
      expect.stringMatching(/ were signed on a database that was then put back to checkpoint 2\. .* --restored 2,2;/),
    ])
    expect(reader.series([2, 2]).problems).toEqual([])
  })

  test('a chain that went back is told of, on a new timeline too', async () => {
    const lines = await linesOf([{ chains: [chain(5)] }, { chains: [chain(4, { timeline: 'second' })] }])
    const reader = new CheckpointReader(keys)
    for (const line of lines) await reader.add(line, '')
    expect(reader.series([1]).problems).toEqual([expect.stringMatching(/is at 4 in checkpoint 2, and was at 5 before/)])
  })

  test('with a clock that went back, and a gap, the newest is what comes last', async () => {
    const lines = await linesOf([
      { chains: [chain(1)], createTimeMs: 1_000 },
      { chains: [chain(2)], number: 4, createTimeMs: 10 },
      { chains: [chain(3)], number: 5, createTimeMs: 5 },
    ])
    const reader = new CheckpointReader(keys)
    for (const line of lines) await reader.add(line, '')
    const { problems, last, putBack } = reader.series()
    expect({ problems, last, putBack }).toEqual({ problems: ['Checkpoints 2 to 3 are missing.'], last: 5, putBack: 0 })
  })
})
