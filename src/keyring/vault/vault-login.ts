import type { Clock } from '../../base/clock.ts'
import type { Log } from '../../observe/log.ts'
import { KeyringError } from '../keyring-error.ts'
import { VaultAway } from './vault-away.ts'
import type { VaultClient } from './vault-client.ts'
import { type Lease, obtainLease, type VaultCredential } from './vault-lease.ts'

/** Keeps a token that works, for as long as Vault gives one. */
export interface VaultLogin extends AsyncDisposable {
  /** What calls are made with now. */
  readonly client: VaultClient
  /** A call made with `client` was refused. Answers another client that is worth one more try, where there is one. */
  refused(client: VaultClient): Promise<VaultClient | undefined>
}

export interface VaultLoginOptions {
  readonly credential: VaultCredential
  /** A client that sends this token; undefined: none. */
  readonly clientFor: (token: string | undefined) => VaultClient
  readonly clock: Clock
  /** From 0 up to 1: servers that started together must not renew together. */
  readonly jitter: () => number
  readonly log: Log
  readonly timeoutMs: number
}

/** Whatever the load, no more often than this Vault is asked whether a token lives, and for a new one. */
const minAttemptMs = 1_000
const maxAttemptMs = 60_000
const maxDelayMs = 24 * 3_600_000
/** How long an ending server waits for a Vault that does not answer. */
const farewellMs = 500

/** Throws VaultAway; UNAVAILABLE where Vault refuses the credential. */
export async function openVaultLogin(options: VaultLoginOptions): Promise<VaultLogin> {
  const { credential, clientFor, timeoutMs } = options
  const lease = await obtainLease(credential, clientFor, AbortSignal.timeout(timeoutMs))
  if (lease === undefined) {
    throw new KeyringError(
      'UNAVAILABLE',
      credential.kind === 'token'
        ? 'Vault refuses the token: it is wrong, has ended, or may not look itself up.'
        : 'Vault refuses the role id and the secret id: one of them is wrong or has ended.',
    )
  }
  return new SupervisedLogin(options, lease)
}

class SupervisedLogin implements VaultLogin {
  readonly #options: VaultLoginOptions
  #lease: Lease
  /** Of the lease when it began: renewals that give much less lead to an end. */
  #fullTtlMs: number
  #attempt: Promise<void> | undefined
  #nextCheckMs = 0
  #nextLoginMs = 0
  /** Logins in a row after which Vault refused again. */
  #vainLogins = 0
  #failedRenewals = 0
  #timer: NodeJS.Timeout | undefined
  #isClosed = false

  constructor(options: VaultLoginOptions, lease: Lease) {
    this.#options = options
    this.#lease = lease
    this.#fullTtlMs = lease.ttlMs
    this.#schedule()
  }

  get client(): VaultClient {
    return this.#lease.client
  }

  async refused(client: VaultClient): Promise<VaultClient | undefined> {
    const isTime = !this.#isClosed && this.#options.clock.monotonicMs() >= this.#nextCheckMs
    if (client === this.#lease.client && (isTime || this.#attempt !== undefined)) {
      await this.#alone(() => this.#replaceIfDead())
    }
    // Whoever replaced it, and why: a renewal under way may have come to that, too.
    return client === this.#lease.client ? undefined : this.#lease.client
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true
    clearTimeout(this.#timer)
    await this.#attempt
    // A token of our own making is not left behind; one that was given to us is not ours to end.
    if (this.#options.credential.kind === 'token') return
    const signal = AbortSignal.timeout(farewellMs)
    await this.#lease.client.ask(signal, 'write', 'auth/token/revoke-self').catch(() => {})
  }

  /** One attempt at a time, which everybody waits for. It never rejects: it runs for timers too. */
  #alone(attempt: () => Promise<void>): Promise<void> {
    this.#attempt ??= attempt()
      .catch((error: unknown) => {
        const why = error instanceof VaultAway ? error.message : 'failed'
        this.#options.log.warn({ why }, 'Vault cannot be asked for a token')
      })
      .finally(() => {
        this.#attempt = undefined
      })
    return this.#attempt
  }

  /** Where the token is good, a policy refuses: another token would be refused as well. */
  async #replaceIfDead(): Promise<void> {
    this.#nextCheckMs = this.#options.clock.monotonicMs() + minAttemptMs
    const leftMs = await this.#lease.lookUp(this.#signal())
    if (leftMs === undefined) await this.#replace()
  }

  /** Answers whether there is another token now. */
  async #replace(): Promise<boolean> {
    const { credential, clientFor, clock, log } = this.#options
    const nowMs = clock.monotonicMs()
    if (nowMs < this.#nextLoginMs) return false
    if (credential.kind === 'token') {
      log.error({}, 'Vault refuses the token; give the server another one')
      this.#nextLoginMs = nowMs + maxAttemptMs
      return false
    }
    // A token that was refused at once is followed by ever fewer: each leaves a lease in Vault.
    this.#vainLogins = this.#lease.client.hasServed() ? 0 : this.#vainLogins + 1
    this.#nextLoginMs = nowMs + Math.min(maxAttemptMs, minAttemptMs * 2 ** this.#vainLogins)
    const lease = await obtainLease(credential, clientFor, this.#signal())
    if (lease === undefined) {
      log.error({}, 'Vault refuses the role id and the secret id; give the server others')
      return false
    }
    log.info({}, 'logged in to Vault again')
    this.#lease = lease
    this.#fullTtlMs = lease.ttlMs
    this.#schedule()
    return true
  }

  /** At about two thirds of what is left, so that a failed renewal can be tried again. */
  #schedule(): void {
    this.#failedRenewals = 0
    const { ttlMs } = this.#lease
    // A token without an end needs nothing.
    if (ttlMs > 0) this.#tendIn((ttlMs * 2 * (1 - 0.1 * this.#options.jitter())) / 3)
  }

  #tendIn(delayMs: number): void {
    clearTimeout(this.#timer)
    if (this.#isClosed) return
    const boundMs = Math.max(minAttemptMs, Math.min(delayMs, maxDelayMs))
    this.#timer = setTimeout(() => void this.#tend(), boundMs)
    this.#timer.unref()
  }

  async #tend(): Promise<void> {
    const { client } = this.#lease
    // Whoever is at it already may replace the lease, and then its own timer runs.
    await this.#attempt
    if (this.#isClosed || client !== this.#lease.client) return
    let isTended = false
    await this.#alone(async () => {
      isTended = await this.#renewOrReplace()
    })
    if (isTended || this.#isClosed) return
    this.#failedRenewals += 1
    const delayMs = Math.min(30_000, 500 * 2 ** this.#failedRenewals)
    this.#tendIn(delayMs * (1 - 0.2 * this.#options.jitter()))
  }

  /** Answers whether the next look is due by what is left, and not sooner. */
  async #renewOrReplace(): Promise<boolean> {
    const { isRenewable, renew, lookUp } = this.#lease
    const leftMs = await (isRenewable ? renew(this.#signal()) : lookUp(this.#signal()))
    // Towards the end of a token's longest life Vault grants less and less.
    const isLong = leftMs !== undefined && leftMs > this.#fullTtlMs / 2
    if (!isLong) {
      if (this.#options.credential.kind !== 'token') return this.#replace()
      this.#options.log.warn({}, 'the token of Vault comes to its end; give the server another one')
    }
    if (leftMs === undefined || leftMs === 0) return false
    this.#fullTtlMs = Math.max(this.#fullTtlMs, leftMs)
    this.#lease = { ...this.#lease, ttlMs: leftMs }
    this.#schedule()
    return true
  }

  #signal(): AbortSignal {
    return AbortSignal.timeout(this.#options.timeoutMs)
  }
}
