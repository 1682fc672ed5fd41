import { randomFillSync } from 'node:crypto'
import { beforeAll, expect, test } from 'vitest'
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
    const document = { number, createTimeMs: number, previous: step.previous ?? previous, chains: step.chains }
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
    [{ chains: [chain(5)] }, { chains: [chain(2, { timeline: 'second' })] }],
    /goes on from a restored database in checkpoint 2/,
  ],
  ['a signature of somebody else', [{ chains: [], key: () => others }], /^Line 1 is not what any of these keys signed/],
  ['another document of ours', [{ chains: [], type: 'tenure-isolation-report' }], /^Line 1 is not what any of these/],
  ['a document that is none', [{ chains: [chain(1, { hash: 'x' })] }], /^Line 1 is not what any of these keys signed/],
])('a series is not whole with %s', async (_, steps, problem) => {
  const problems = await problemsOf(await linesOf(steps))
  expect(problems).toHaveLength(1)
  expect(problems[0]).toMatch(problem)
})

test('two checkpoints of one number are told', async () => {
  const [first = ''] = await linesOf([{ chains: [chain(1)] }])
  const [other = ''] = await linesOf([{ chains: [chain(2)] }])
  expect(await problemsOf([first, other])).toEqual([expect.stringMatching(/^There are two checkpoints 1\./)])
})
