import type { Clock } from '../base/clock.ts'
import type { Keyring } from './keyring.ts'
import { KeyringError } from './keyring-error.ts'

/** Hears of every question: what was asked, `ok` or the reason of the failure, and how long it took. */
export type KeyringMeter = (operation: string, outcome: string, durationMs: number) => void

/** The same keyring, counted. */
export function meteredKeyring(keyring: Keyring, clock: Clock, meter: KeyringMeter): Keyring {
  const metered = async <T>(operation: string, asked: Promise<T>): Promise<T> => {
    const startedMs = clock.monotonicMs()
    let outcome = 'ok'
    try {
      return await asked
    } catch (error) {
      outcome = error instanceof KeyringError ? error.reason : 'ERROR'
      throw error
    } finally {
      meter(operation, outcome, clock.monotonicMs() - startedMs)
    }
  }
  return {
    createKey: (keyId) => metered('createKey', keyring.createKey(keyId)),
    rotateKey: (keyId) => metered('rotateKey', keyring.rotateKey(keyId)),
    generateDataKey: (keyId, bound) => metered('generateDataKey', keyring.generateDataKey(keyId, bound)),
    unwrapDataKey: (wrapped, bound) => metered('unwrapDataKey', keyring.unwrapDataKey(wrapped, bound)),
    rewrapDataKey: (wrapped, bound) => metered('rewrapDataKey', keyring.rewrapDataKey(wrapped, bound)),
    destroyKey: (keyId) => metered('destroyKey', keyring.destroyKey(keyId)),
    describeKey: (keyId) => metered('describeKey', keyring.describeKey(keyId)),
    checkHealth: () => metered('checkHealth', keyring.checkHealth()),
    [Symbol.asyncDispose]: () => keyring[Symbol.asyncDispose](),
  }
}
