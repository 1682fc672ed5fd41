import type { Clock } from '../base/clock.ts'
import { TokenError } from '../jwt/token-error.ts'
import type { VerificationKeys } from '../jwt/verification-keys.ts'
import { type Fetch, fetchJwks } from './fetch-jwks.ts'
import type { KeySource } from './key-source.ts'

/** Keys older than this are asked for again, while those known go on to serve. */
const refreshAfterMs = 5 * 60_000
/** Keys older than this are not relied on: what was revoked in the meantime would live for ever. */
const maxAgeMs = 60 * 60_000
/** An unknown kid asks again this often at most, whoever sends how many of them. */
const unknownKidIntervalMs = 30_000
/** While there is no key to go on with, this often at most. */
const retryIntervalMs = 1_000

export interface RemoteKeysOptions {
  readonly url: string
  readonly fetch: Fetch
  readonly clock: Clock
  /** Told of every attempt that failed. */
  readonly onKeysError: (error: unknown) => void
}

interface Moment {
  readonly nowMs: number
  readonly monotonicMs: number
}

/** Keys fetched at first need, remembered, and fetched again by age or for an unknown kid: one request at a time. */
export function createRemoteKeys({ url, fetch, clock, onKeysError }: RemoteKeysOptions): KeySource {
  let keys: VerificationKeys | undefined
  let fetched: Moment | undefined
  let attempted: Moment | undefined
  let attemptFailed = false
  let underWay: Promise<void> | undefined

  const now = (): Moment => ({ nowMs: clock.nowMs(), monotonicMs: clock.monotonicMs() })
  /** By the clock that says more: one of them stands still while the machine sleeps, the other can be set back. */
  const since = (moment: Moment | undefined): number =>
    moment === undefined
      ? Number.POSITIVE_INFINITY
      : Math.max(clock.nowMs() - moment.nowMs, clock.monotonicMs() - moment.monotonicMs)
  const usable = (): VerificationKeys | undefined => (since(fetched) < maxAgeMs ? keys : undefined)

  /** Never rejects. The age of an answer counts from its question. */
  const refresh = (): Promise<void> => {
    underWay ??= attempt(now()).finally(() => {
      underWay = undefined
    })
    return underWay
  }
  const tell = (error: unknown): void => {
    try {
      onKeysError(error)
    } catch {
      // What listens is not ours: its mistake must not take the keys away from those who wait for them.
    }
  }
  const attempt = async (began: Moment): Promise<void> => {
    attempted = began
    try {
      keys = await fetchJwks(url, fetch)
      fetched = began
      attemptFailed = false
    } catch (error) {
      attemptFailed = true
      tell(error)
    }
  }

  return {
    known(kid) {
      if (since(fetched) >= refreshAfterMs && since(attempted) >= unknownKidIntervalMs) void refresh()
      return usable()?.get(kid)
    },
    async find(kid) {
      const interval = usable() === undefined ? retryIntervalMs : unknownKidIntervalMs
      const known = usable()?.get(kid)
      if (known !== undefined) return known
      if (underWay !== undefined || since(attempted) >= interval) await refresh()
      const found = usable()?.get(kid)
      // Perhaps the key is new and only cannot be fetched: that is no reason to call its token wrong.
      if (found === undefined && (usable() === undefined || attemptFailed)) throw new TokenError('KEYS_UNAVAILABLE')
      return found
    },
  }
}
