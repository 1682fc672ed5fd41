import {
  type CheckpointChain,
  type CheckpointDocument,
  checkpointDocumentFrom,
  digestOf,
} from '../jwt/audit-checkpoint.ts'
import { verifyDocument } from '../jwt/signed-document.ts'
import type { VerificationKeys } from '../jwt/verification-keys.ts'

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
  /** What is wrong with the series by itself, a sentence each. */
  readonly problems: readonly string[]
}

interface Kept {
  readonly document: CheckpointDocument
  readonly digest: string
}

interface Followed extends Omit<KeptChain, 'points'> {
  timeline: string
  points: Pick<CheckpointChain, 'sequence' | 'hash'>[]
}

/** Reads what was kept outside, of one server or several, in any order, and finds what does not fit together. */
export class CheckpointReader {
  readonly #keys: VerificationKeys
  readonly #kept = new Map<number, Kept>()
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
    const known = this.#kept.get(document.number)
    const digest = digestOf(jws)
    if (known === undefined) this.#kept.set(document.number, { document, digest })
    else if (known.digest !== digest) {
      this.#problems.push(
        `There are two checkpoints ${document.number}. The database was restored to before it, or put back to hide something.`,
      )
    }
  }

  series(): CheckpointSeries {
    const numbers = [...this.#kept.keys()].sort((a, b) => a - b)
    const chains = new Map<string, Followed>()
    const problems = [...this.#problems]
    let before: Kept | undefined
    for (const number of numbers) {
      const kept = this.#kept.get(number) as Kept
      problems.push(...joints(before, kept))
      for (const chain of kept.document.chains) problems.push(...follow(chains, chain, number))
      before = kept
    }
    return {
      ...{ count: numbers.length, first: numbers[0] ?? 0, last: numbers.at(-1) ?? 0, problems },
      ...{ newestTimeMs: before?.document.createTimeMs ?? 0, kids: [...this.#kids], chains: [...chains.values()] },
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

function joints(before: Kept | undefined, { document: { number, previous } }: Kept): string[] {
  if (before === undefined) return []
  const missing = number - before.document.number - 1
  if (missing === 1) return [`Checkpoint ${number - 1} is missing.`]
  if (missing > 1) return [`Checkpoints ${before.document.number + 1} to ${number - 1} are missing.`]
  return previous === before.digest ? [] : [`Checkpoint ${number} does not go on from checkpoint ${number - 1}.`]
}

function follow(chains: Map<string, Followed>, next: CheckpointChain, number: number): string[] {
  const { tenant, tenantUid, chain, sequence, hash, timeline } = next
  const key = `${tenantUid}/${chain}`
  const known = chains.get(key)
  if (known === undefined) {
    chains.set(key, { tenant, tenantUid, chain, timeline, points: [{ sequence, hash }] })
    return []
  }
  const last = known.points.at(-1)
  const problems: string[] = []
  if (known.timeline !== timeline) {
    problems.push(`${nameOf(next)} goes on from a restored database in checkpoint ${number}.`)
    known.points = []
  } else if (last !== undefined && (sequence < last.sequence || (sequence === last.sequence && hash !== last.hash))) {
    problems.push(`${nameOf(next)} is at ${sequence} in checkpoint ${number}, and was at ${last.sequence} before.`)
  }
  known.timeline = timeline
  known.points.push({ sequence, hash })
  return problems
}

export function nameOf({ tenant, chain }: Pick<KeptChain, 'tenant' | 'chain'>): string {
  return `${tenant === '' ? 'the platform' : tenant}, chain ${chain},`
}
