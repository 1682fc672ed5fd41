import type { Message } from '@bufbuild/protobuf'
import type { WalkAnswer, WalkCall } from './walk-client.ts'
import type { WalkHistory } from './walk-history.ts'
import type { WalkTenant } from './walk-model.ts'

/** Who asks. */
export interface WalkCaller {
  /** Of the tenant its key belongs to; undefined: the platform. */
  readonly tenant: number | undefined
  readonly keyName: string
  readonly secret: string
}

/** One answer that is expected of a question; a batch expects several. */
export interface WalkPart {
  /** Whose state says whether the caller is admitted: its own tenant's, or for the platform the place's. */
  readonly judge: number
  /** Empty: admitted. */
  readonly admission: (tenant: WalkTenant) => string
  /** Whose state says what is answered. */
  readonly about: number
  /** With `!` before it: a refusal. */
  readonly content: (tenant: WalkTenant) => string
  /** Decided from memory, which may be behind; else read from the rows as they are. */
  readonly isFromMemory: boolean
  /** The state of `about` that the answer is at least as new as. */
  readonly from: number
}

export interface WalkQuestion {
  readonly caller: WalkCaller
  readonly call: WalkCall
  readonly parts: readonly WalkPart[]
  /** Whom the answer may speak of. */
  readonly mayName: ReadonlySet<number>
  /** What is answered, part by part, in the words of `content`. */
  readonly read: (message: Message) => readonly string[] | Promise<readonly string[]>
}

/** Behind this, a server answers STALE. */
export const maxStalenessMs = 2_000
/** Between the moment a server looks at its clock and the moments that are measured here. */
const measuringMs = 250

/** Said by a server that knows it is behind, or that is asked for more than it knows: no answer, and no wrong one. */
const noAnswers: ReadonlySet<string> = new Set(['!STALE', '!DATABASE_UNAVAILABLE'])

export interface WalkVerdict {
  /** Empty: as it must be. */
  readonly fault: string
  readonly isStale: boolean
  /** How many states could have been answered from. */
  readonly choices: number
}

/** Compares an answer with every one that the naive model allows. */
export async function judge(
  question: WalkQuestion,
  answer: WalkAnswer,
  histories: readonly WalkHistory[],
): Promise<WalkVerdict> {
  const said =
    answer.message === undefined
      ? question.parts.map(() => `!${answer.reason}`)
      : await question.read(answer.message as Message)
  if (said.length !== question.parts.length) return { fault: `${said.length} answers`, isStale: false, choices: 0 }
  let isStale = false
  let choices = 0
  for (const [at, part] of question.parts.entries()) {
    const word = said[at] ?? ''
    if (noAnswers.has(word)) isStale = true
    else {
      const allowed = allowedOf(part, answer, histories)
      choices = Math.max(choices, allowed.size)
      if (!allowed.has(word)) {
        return { fault: `part ${at}: ${word}\n  allowed: ${[...allowed].join('\n           ')}`, isStale, choices }
      }
    }
  }
  return { fault: '', isStale, choices }
}

function allowedOf(part: WalkPart, { startMs, endMs }: WalkAnswer, histories: readonly WalkHistory[]): Set<string> {
  const behindMs = maxStalenessMs + measuringMs
  const states = (tenant: number, staleMs: number, from?: number) =>
    histories[tenant]?.between(startMs, endMs, staleMs, from) ?? []
  const admissions = new Set(states(part.judge, behindMs).map(part.admission))
  const allowed = new Set([...admissions].filter((reason) => reason !== '').map((reason) => `!${reason}`))
  // The credential died between the look at it and the look at the place.
  if (admissions.has('CREDENTIAL_INVALID')) allowed.add('!NOT_FOUND')
  if (!admissions.has('')) return allowed
  for (const tenant of states(part.about, part.isFromMemory ? behindMs : 0, part.from))
    allowed.add(part.content(tenant))
  return allowed
}
