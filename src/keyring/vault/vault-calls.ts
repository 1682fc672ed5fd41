import { setTimeout as sleep } from 'node:timers/promises'
import { KeyringError } from '../keyring-error.ts'
import { field } from './answer-fields.ts'
import type { CallLine } from './call-line.ts'
import type { Method, VaultAnswer } from './vault-client.ts'
import type { VaultLogin } from './vault-login.ts'

/** What Vault did with a call it understood. What `refused` means, only the caller knows. */
export type CallOutcome =
  | { readonly kind: 'done'; readonly data: unknown }
  | { readonly kind: 'missing' }
  | { readonly kind: 'refused' }

/** Calls under the login that is valid, one more time where a token just ended. Every failure is a KeyringError. */
export interface VaultCalls {
  ask(method: Method, path: string, body?: object): Promise<CallOutcome>
}

export interface VaultCallsOptions {
  readonly line: CallLine
  readonly login: VaultLogin
  /** How operators know this Vault. */
  readonly where: string
  readonly jitter: () => number
}

const maxTries = 12
const firstPauseMs = 10

export function createVaultCalls({ line, login, where, jitter }: VaultCallsOptions): VaultCalls {
  const once = async (signal: AbortSignal, method: Method, path: string, body?: object): Promise<VaultAnswer> => {
    const { client } = login
    const answer = await client.ask(signal, method, path, body)
    if (answer.status !== 403) return answer
    const other = await within(signal, login.refused(client))
    return other === undefined ? answer : other.ask(signal, method, path, body)
  }
  return {
    async ask(method, path, body) {
      for (let tries = 1; ; tries += 1) {
        const answer = await line.use((signal) => once(signal, method, path, body))
        if (!isConflict(answer) || tries === maxTries) return outcomeOf(answer, path, where)
        await sleep(firstPauseMs * tries * (0.5 + jitter()))
      }
    },
  }
}

/** Whoever waits for a login waits no longer than for anything else. */
async function within<T>(signal: AbortSignal, work: Promise<T | undefined>): Promise<T | undefined> {
  const { promise, resolve } = Promise.withResolvers<undefined>()
  const giveUp = () => resolve(undefined)
  signal.addEventListener('abort', giveUp, { once: true })
  try {
    return await Promise.race([work, promise])
  } finally {
    signal.removeEventListener('abort', giveUp)
  }
}

/**
 * Of two changes that meet at a key OpenBao writes one down, and keeps the other in memory as if it were: what is wrapped
 * under a version made so is lost with the next restart. A change repeated until it succeeds writes down both.
 */
function isConflict({ status, body }: VaultAnswer): boolean {
  return status === 500 && wordsOf(body).includes('transaction commit failed')
}

/** The same, where the change that was first is a removal. */
function isTooLate({ status, body }: VaultAnswer): boolean {
  return status === 500 && wordsOf(body).includes('key has been deleted')
}

function outcomeOf(answer: VaultAnswer, path: string, where: string): CallOutcome {
  const { status, body } = answer
  if (status === 200) return { kind: 'done', data: field(body, 'data') }
  if (status === 400 || isTooLate(answer)) return { kind: 'refused' }
  // With words it is about the path, without it is about the key: a mount that is gone must not pass for keys that are.
  if (status === 404 && !hasWords(body)) return { kind: 'missing' }
  if (status === 403) {
    throw new KeyringError(
      'UNAVAILABLE',
      `Vault at ${where} refuses ${path}: the token has ended, or its policy does not allow that.`,
    )
  }
  if (status === 404 || status === 405) {
    throw new KeyringError('INVALID', `Vault at ${where} has no ${path}: mount the transit engine there.`)
  }
  throw new KeyringError('UNAVAILABLE', `Vault at ${where} answered ${path} with status ${status}.`)
}

function wordsOf(body: unknown): string {
  const errors = field(body, 'errors')
  return Array.isArray(errors) ? errors.join() : ''
}

function hasWords(body: unknown): boolean {
  const errors = field(body, 'errors')
  return !Array.isArray(errors) || errors.length > 0
}
