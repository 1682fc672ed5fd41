import { type CheckpointChain, checkpointDocumentFrom, digestOf } from '../jwt/audit-checkpoint.ts'
import { verifyDocument } from '../jwt/signed-document.ts'
import type { VerificationKeys } from '../jwt/verification-keys.ts'
import { type KeptCheckpoint, lineOf } from './checkpoint-line.ts'

/** A chain as the series tells of it: every point it went through, oldest first. One left out would be one that may be rewritten. */
export interface KeptChain {
  readonly tenant: string
  readonly tenantUid: string
  readonly chain: string
  readonly points: readonly Pick<CheckpointChain, 'sequence' | 'hash'>[]
}

export interface CheckpointSeries {
  readonly count: number
  readonly first: number
  readonly last: number
  readonly newestTimeMs: number
  readonly kids: readonly string[]
  readonly chains: readonly KeptChain[]
  /** Checkpoints that are not part of it, because the database was put back to before them. */
  readonly putBack: number
  /** What is wrong with the series by itself, a sentence each. */
  readonly problems: readonly string[]
}

interface Followed extends Omit<KeptChain, 'points'> {
  timeline: string
  /** Number of the checkpoint that held it last. */
  number: number
  points: Pick<CheckpointChain, 'sequence' | 'hash'>[]
}

/** Reads what was kept outside, of one server or several, in any order, and finds what does not fit together. */
export class CheckpointReader {
  readonly #keys: VerificationKeys
  readonly #kept = new Map<string, KeptCheckpoint>()
  readonly #kids = new Set<string>()
  readonly #problems: string[] = []

  constructor(keys: VerificationKeys) {
    this.#keys = keys
  }

  /** One line of a file. Lines of anything else are passed over: standard output has the log beside them. */
  async add(line: string, where: string): Promise<void> {
    const jws = checkpointIn(line)
    if (jws === undefined) return
    const verified = await verifyDocument('tenure-audit-checkpoint', jws, (kid) => this.#keys.get(kid))
    const document = checkpointDocumentFrom(verified?.document)
    if (verified === undefined || document === undefined) {
      this.#problems.push(
        `${where} is not what any of these keys signed: it was changed, or is of another installation.`,
      )
      return
    }
    this.#kids.add(verified.kid)
    const digest = digestOf(jws)
    this.#kept.set(digest, { document, digest })
  }

  /**
   * `restored`: numbers of checkpoints that the database was put back to by somebody who may do that, each as often as it
   * was: one more is not excused by them.
   */
  series(restored: readonly number[] = []): CheckpointSeries {
    const { line, branches } = lineOf(this.#kept)
    const problems = [...this.#problems, ...leftBehind(branches, restored)]
    const chains = new Chains(restored)
    for (const [at, kept] of line.entries()) {
      problems.push(...joints(line[at - 1], kept))
      for (const chain of kept.document.chains) problems.push(...chains.follow(chain, kept.document.number))
    }
    const [first, last] = [line[0]?.document, line.at(-1)?.document]
    return {
      ...{ count: this.#kept.size, first: first?.number ?? 0, last: last?.number ?? 0 },
      ...{ newestTimeMs: last?.createTimeMs ?? 0, kids: [...this.#kids], chains: chains.kept() },
      putBack: this.#kept.size - line.length,
      problems: [...problems, ...chains.newTimelines()],
    }
  }
}

function checkpointIn(line: string): string | undefined {
  if (!line.startsWith('{')) return undefined
  try {
    const { type, data } = JSON.parse(line) as { type?: unknown; data?: { checkpoint?: unknown } }
    return type === 'audit.checkpoint' ? String(data?.checkpoint) : undefined
  } catch {
    // Cut off in the middle: what it was is told by the gap.
    return undefined
  }
}

function joints(
  before: KeptCheckpoint | undefined,
  { document: { number, previous } }: KeptCheckpoint,
): readonly string[] {
  if (before === undefined) return []
  const missing = number - before.document.number - 1
  if (missing > 0) return [missingFrom(before.document.number + 1, number - 1)]
  return previous === before.digest ? [] : [`Checkpoint ${number} does not go on from checkpoint ${number - 1}.`]
}

function missingFrom(first: number, last: number): string {
  return first === last ? `Checkpoint ${first} is missing.` : `Checkpoints ${first} to ${last} are missing.`
}

function leftBehind(branches: readonly (readonly KeptCheckpoint[])[], restored: readonly number[]): readonly string[] {
  const left = [...restored]
  const problems: string[] = []
  for (const branch of branches) {
    const [first, last] = [branch[0]?.document.number ?? 0, branch.at(-1)?.document.number ?? 0]
    const excuse = left.indexOf(first - 1)
    if (excuse >= 0) {
      left.splice(excuse, 1)
      continue
    }
    const which = first === last ? `Checkpoint ${first} was` : `Checkpoints ${first} to ${last} were`
    problems.push(
      `${which} signed on a database that was then put back to checkpoint ${first - 1}. ${ifKnown(restored, first - 1)}; if not, somebody hides what came after.`,
    )
  }
  return problems
}

function ifKnown(restored: readonly number[], number: number): string {
  const said = [...restored, number].sort((a, b) => a - b).join(',')
  return `If that was a restore that you know of, say --restored ${said}`
}

/** Chains named in one sentence. */
const maxNamed = 5

class Chains {
  readonly #restored: readonly number[]
  readonly #followed = new Map<string, Followed>()
  readonly #begunAnew: { readonly name: string; readonly number: number }[] = []

  constructor(restored: readonly number[]) {
    this.#restored = restored
  }

  kept(): KeptChain[] {
    return [...this.#followed.values()]
  }

  follow(next: CheckpointChain, number: number): readonly string[] {
    const { tenant, tenantUid, chain, sequence, hash, timeline } = next
    const key = `${tenantUid}/${chain}`
    const known = this.#followed.get(key)
    if (known === undefined) {
      this.#followed.set(key, { tenant, tenantUid, chain, timeline, number, points: [{ sequence, hash }] })
      return []
    }
    const last = known.points.at(-1)
    const problems: string[] = []
    if (known.timeline !== timeline) {
      const isKnown = this.#restored.some((each) => known.number <= each && each < number)
      if (!isKnown) this.#begunAnew.push({ name: nameOf(next), number })
    }
    // Also on a new timeline: what was restored had come as far as the last checkpoint that was in it.
    if (last !== undefined && (sequence < last.sequence || (sequence === last.sequence && hash !== last.hash))) {
      problems.push(`${nameOf(next)}, is at ${sequence} in checkpoint ${number}, and was at ${last.sequence} before.`)
    }
    Object.assign(known, { timeline, number })
    known.points.push({ sequence, hash })
    return problems
  }

  /** In one sentence: a restore begins every chain anew. */
  newTimelines(): readonly string[] {
    const [first] = this.#begunAnew
    if (first === undefined) return []
    const { length } = this.#begunAnew
    const names = this.#begunAnew.slice(0, maxNamed).map(({ name }) => name)
    const others = length > maxNamed ? ` and ${length - maxNamed} more` : ''
    const go = length === 1 ? 'chain goes' : 'chains go'
    return [
      `${length} ${go} on from a restored database, the first in checkpoint ${first.number}: ${names.join('; ')}${others}. ${ifKnown(this.#restored, first.number - 1)}; if not, somebody changed the database by hand.`,
    ]
  }
}

export function nameOf({ tenant, chain }: Pick<KeptChain, 'tenant' | 'chain'>): string {
  return `${tenant === '' ? 'the platform' : tenant}, chain ${chain}`
}
