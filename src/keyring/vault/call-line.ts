import type { Clock } from '../../base/clock.ts'
import { KeyringError } from '../keyring-error.ts'
import { VaultAway } from './vault-away.ts'

/** Lets a bounded number of calls through at once, and none but a probe while Vault is away. */
export interface CallLine {
  /**
   * Runs `work` in its turn. All of it, the wait included, takes no longer than the time-out: then the signal aborts. Throws
   * UNAVAILABLE where Vault is away, at once while that is known.
   */
  use<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T>
}

export interface CallLineOptions {
  readonly clock: Clock
  readonly timeoutMs: number
  readonly maxInFlight: number
  readonly maxWaiting: number
  /** While Vault is away, one call in so many milliseconds finds that out; the others are told at once. */
  readonly holdOffMs: number
  /** How operators know this Vault. */
  readonly where: string
  /** Hears of the first failure after an answer, and of the first answer after a failure. */
  readonly changed: (isAway: boolean, why: string) => void
}

interface Waiter {
  readonly go: () => void
  readonly fail: (error: KeyringError) => void
}

interface Failure {
  readonly away: VaultAway
  readonly untilMs: number
}

export function createCallLine(options: CallLineOptions): CallLine {
  return new BoundedLine(options)
}

class BoundedLine implements CallLine {
  readonly #options: CallLineOptions
  readonly #waiting = new Set<Waiter>()
  #inFlight = 0
  #isProbing = false
  #failure: Failure | undefined

  constructor(options: CallLineOptions) {
    this.#options = options
  }

  async use<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const { clock, timeoutMs } = this.#options
    const endMs = clock.monotonicMs() + timeoutMs
    const isProbe = this.#failure !== undefined
    if (this.#failure !== undefined) this.#beginProbe(this.#failure)
    if (isProbe || this.#inFlight < this.#options.maxInFlight) this.#inFlight += 1
    else await this.#turn()
    try {
      const answer = await work(AbortSignal.timeout(Math.max(1, Math.round(endMs - clock.monotonicMs()))))
      this.#succeeded()
      return answer
    } catch (error) {
      if (error instanceof VaultAway) throw this.#failed(error)
      this.#succeeded()
      throw error
    } finally {
      this.#inFlight -= 1
      if (isProbe) this.#isProbing = false
      this.#next()
    }
  }

  #beginProbe(failure: Failure): void {
    if (this.#isProbing || this.#options.clock.monotonicMs() < failure.untilMs) throw this.#away(failure.away)
    this.#isProbing = true
  }

  /** Resolves with a place among those in flight. */
  #turn(): Promise<void> {
    const { maxWaiting, timeoutMs, where } = this.#options
    if (this.#waiting.size >= maxWaiting) throw unavailable(`Too many calls wait for Vault at ${where}.`)
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(waiter)
        reject(unavailable(`Vault at ${where} is too slow for the calls there are.`))
      }, timeoutMs)
      const leave = () => {
        clearTimeout(timer)
        this.#waiting.delete(waiter)
      }
      const waiter: Waiter = {
        go: () => {
          leave()
          this.#inFlight += 1
          resolve()
        },
        fail: (error) => {
          leave()
          reject(error)
        },
      }
      this.#waiting.add(waiter)
    })
  }

  #next(): void {
    const [first] = this.#waiting
    if (this.#inFlight < this.#options.maxInFlight) first?.go()
  }

  #succeeded(): void {
    if (this.#failure === undefined) return
    this.#failure = undefined
    this.#options.changed(false, 'answers again')
  }

  #failed(away: VaultAway): KeyringError {
    const { clock, holdOffMs, changed } = this.#options
    if (this.#failure === undefined) changed(true, away.message)
    this.#failure = { away, untilMs: clock.monotonicMs() + holdOffMs }
    const error = this.#away(away)
    this.#refuseWaiting(error)
    return error
  }

  #refuseWaiting(error: KeyringError): void {
    for (const waiter of this.#waiting) waiter.fail(error)
  }

  #away(away: VaultAway): KeyringError {
    return unavailable(away.sentence(this.#options.where))
  }
}

function unavailable(message: string): KeyringError {
  return new KeyringError('UNAVAILABLE', message)
}
