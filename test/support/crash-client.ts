import { setTimeout as sleep } from 'node:timers/promises'
import { ConnectError } from '@connectrpc/connect'
import { ErrorInfoSchema } from '../../src/gen/google/rpc/error_details_pb.ts'
import type { PlannedWrite } from './crash-model.ts'
import { sendWrite } from './crash-requests.ts'
import type { CrashServer } from './crash-server.ts'

/** What a client knows of its write in the end. */
export type Outcome =
  | { readonly kind: 'acknowledged'; readonly revision: string }
  | { readonly kind: 'refused'; readonly reason: string }
  | { readonly kind: 'unanswered'; readonly last: string }

export interface Acknowledgement {
  readonly server: CrashServer
  readonly atMs: number
}

export interface Settled {
  readonly write: PlannedWrite
  /** One for each copy. */
  readonly outcomes: readonly Outcome[]
  readonly sentMs: number
  readonly settledMs: number
}

export interface ClientTally {
  attempts: number
  /** Of all attempts, answered or not. */
  slowestMs: number
  /** Why there was no answer: reasons of the server's, or what the network said. */
  readonly failures: string[]
  /** Whoever answered, in the order of the answers. */
  readonly acknowledgements: Acknowledgement[]
}

/** Reasons that say: not now. Whatever comes without a reason came from no server at all. */
const passing: ReadonlySet<string> = new Set([
  'DATABASE_UNAVAILABLE',
  'STALE',
  'SHUTTING_DOWN',
  'OVERLOADED',
  'DEADLINE_EXCEEDED',
  'CANCELLED',
])
const retryPauseMs = 20
const giveUpAfterMs = 15_000

export function newTally(): ClientTally {
  return { attempts: 0, slowestMs: 0, failures: [], acknowledgements: [] }
}

/**
 * Sends a write as a careful client does: with a request id again and again, to one server after the other, until there
 * is an answer; without one, once. `servers`: in the order they are tried.
 */
export async function settleWrite(
  write: PlannedWrite,
  servers: readonly CrashServer[],
  tally: ClientTally,
): Promise<Settled> {
  const sentMs = performance.now()
  const copies = Array.from({ length: write.copies }, (_, copy) => settleCopy(write, servers, copy, tally))
  const outcomes = await Promise.all(copies)
  return { write, outcomes, sentMs, settledMs: performance.now() }
}

async function settleCopy(
  write: PlannedWrite,
  servers: readonly CrashServer[],
  first: number,
  tally: ClientTally,
): Promise<Outcome> {
  const untilMs = performance.now() + giveUpAfterMs
  for (let attempt = 0; ; attempt += 1) {
    const server = servers[(first + attempt) % servers.length]
    if (server === undefined) throw new Error('there is no server to send to')
    tally.attempts += 1
    const beganMs = performance.now()
    try {
      const { revision } = await sendWrite(server, write)
      tally.acknowledgements.push({ server, atMs: performance.now() })
      return { kind: 'acknowledged', revision }
    } catch (error) {
      const reason = ConnectError.from(error).findDetails(ErrorInfoSchema)[0]?.reason
      if (reason !== undefined && !passing.has(reason)) return { kind: 'refused', reason }
      const failure = reason ?? String(error)
      tally.failures.push(failure)
      const again = write.requestId !== '' && performance.now() < untilMs
      if (!again) return { kind: 'unanswered', last: failure }
    } finally {
      tally.slowestMs = Math.max(tally.slowestMs, performance.now() - beganMs)
    }
    await sleep(retryPauseMs)
  }
}
