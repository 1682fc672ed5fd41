import { hash } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import type { Clock } from '../base/clock.ts'
import type { RandomFill } from '../base/ids.ts'
import { lengthPrefixed } from '../base/length-prefixed.ts'
import { badCiphertext, open, seal } from './aead.ts'
import { authenticatedDataOf, checkValue, encodeEnvelope, parseEnvelope, type SealedPlace } from './envelope.ts'
import type { DataKey, Keyring, WrappedDataKey } from './keyring.ts'
import { KeyringError } from './keyring-error.ts'

export type WorkspacePlace = Pick<SealedPlace, 'purpose' | 'tenantId' | 'workspaceId'>

/** A data key at hand: sealing with it asks nobody, so it can be done inside a transaction. */
export interface PreparedSeal extends Disposable {
  /** A `SealedEnvelope` in bytes. Throws INVALID for a place that is not of the workspace and purpose it was prepared for. */
  seal(place: SealedPlace, plaintext: Uint8Array): Uint8Array
}

/**
 * Seals the values of workspaces, each under a key of its own in the keyring, and opens them. Every failure is a
 * KeyringError.
 */
export interface WorkspaceSealer extends Disposable {
  /**
   * One call to the keyring. Where the workspace has no key, `isFirst` is asked whether it never sealed anything, and its key
   * is made: a key that went missing must not be replaced by another of its id, beside which it could never be put back.
   * Throws what Keyring.generateDataKey throws.
   */
  prepare(place: WorkspacePlace, isFirst: () => Promise<boolean>): Promise<PreparedSeal>
  /**
   * The value that was sealed at this very place. Asks the keyring for a data key it does not hold; those it holds for
   * `cacheMs`. Throws BAD_CIPHERTEXT where one bit of envelope or place differs, and what Keyring.unwrapDataKey throws.
   */
  open(place: SealedPlace, sealed: Uint8Array): Promise<Uint8Array>
  /** Destroys the key of a workspace and forgets what it unwrapped; answers whether there was one. Throws what Keyring.destroyKey throws. */
  destroy(workspaceId: string): Promise<boolean>
  /** Overwrites the data keys held for a tenant, or for one of its workspaces: its key may have been destroyed elsewhere. */
  forget(tenantId: string, workspaceId?: string): void
}

export interface WorkspaceSealerOptions {
  readonly keyring: Keyring
  readonly clock: Clock
  readonly random: RandomFill
  /** How long an unwrapped data key may serve, in milliseconds; 0: for one value. */
  readonly cacheMs: number
  /** Age of what this process knows of others' commits: beyond a bound it may not have heard that a key was destroyed. */
  readonly feedAgeMs: () => number
}

/** An unwrapped data key, and whose it is. */
interface HeldKey {
  readonly tenantId: string
  readonly workspaceId: string
  readonly key: Uint8Array
}

const sharedDataKey = 2
const maxHeld = 10_000
const maxFeedAgeMs = 3_000
const sweepMs = 500

export function createWorkspaceSealer(options: WorkspaceSealerOptions): WorkspaceSealer {
  return new Sealer(options)
}

/** The one key of a workspace: whoever destroys it has destroyed everything the workspace sealed. */
function workspaceKeyId(workspaceId: string): string {
  return `workspace-${workspaceId}`
}

class Sealer implements WorkspaceSealer {
  readonly #options: WorkspaceSealerOptions
  readonly #held: LRUCache<string, HeldKey>
  readonly #unwrapping = new Map<string, Promise<Uint8Array>>()
  readonly #sweep: NodeJS.Timeout
  #forgotten = 0

  constructor(options: WorkspaceSealerOptions) {
    this.#options = options
    this.#held = new LRUCache({
      max: maxHeld,
      ...(options.cacheMs > 0 ? { ttl: options.cacheMs } : {}),
      perf: { now: options.clock.monotonicMs },
      // Zero: every look asks the clock.
      ttlResolution: 0,
      dispose: ({ key }) => void key.fill(0),
    })
    // Keys end with their time, not with the next question for them.
    this.#sweep = setInterval(() => {
      if (this.#mayHold()) this.#held.purgeStale()
      else this.#held.clear()
    }, sweepMs).unref()
  }

  async prepare(place: WorkspacePlace, isFirst: () => Promise<boolean>): Promise<PreparedSeal> {
    const keyId = workspaceKeyId(place.workspaceId)
    const dataKey = await this.#generate(keyId, wrappedFor(place, keyId), isFirst)
    const { random } = this.#options
    let ended = false
    return {
      seal(at, plaintext) {
        // The key is overwritten by then: what it sealed, everybody could open.
        if (ended) throw new Error('a data key was used after its end')
        checkValue(plaintext)
        if (!isWithin(at, place))
          throw new KeyringError('INVALID', 'The data key was made for another workspace or purpose.')
        const authenticated = authenticatedDataOf(at, keyId)
        return encodeEnvelope(sharedDataKey, dataKey.wrapped, seal(dataKey.plaintext, authenticated, plaintext, random))
      },
      [Symbol.dispose]() {
        ended = true
        dataKey.plaintext.fill(0)
      },
    }
  }

  async open(place: SealedPlace, sealed: Uint8Array): Promise<Uint8Array> {
    const keyId = workspaceKeyId(place.workspaceId)
    const authenticated = authenticatedDataOf(place, keyId)
    const envelope = parseEnvelope(sharedDataKey, sealed)
    // The envelope comes from a row somebody may have written; which key opens it follows from the workspace.
    if (envelope.keyId !== keyId) throw badCiphertext()
    const wrapped = { keyId, keyVersion: envelope.keyVersion, bytes: envelope.wrappedDataKey }
    const name = nameOf(wrapped, place)
    const held = this.#mayHold() ? this.#held.get(name) : undefined
    if (held !== undefined) return open(held.key, authenticated, envelope)
    const key = await this.#unwrap(name, wrapped, place)
    try {
      return open(key, authenticated, envelope)
    } finally {
      key.fill(0)
    }
  }

  async destroy(workspaceId: string): Promise<boolean> {
    try {
      await this.#options.keyring.destroyKey(workspaceKeyId(workspaceId))
      return true
    } catch (error) {
      if (error instanceof KeyringError && error.reason === 'UNKNOWN_KEY') return false
      throw error
    } finally {
      // What is being unwrapped just now was asked for while there was a key: it must not be held when there is none.
      this.#forgotten += 1
      for (const [name, held] of this.#held) if (held.workspaceId === workspaceId) this.#held.delete(name)
    }
  }

  forget(tenantId: string, workspaceId?: string): void {
    this.#forgotten += 1
    for (const [name, held] of this.#held) {
      const meant = held.tenantId === tenantId && (workspaceId === undefined || held.workspaceId === workspaceId)
      if (meant) this.#held.delete(name)
    }
  }

  [Symbol.dispose](): void {
    clearInterval(this.#sweep)
    this.#held.clear()
  }

  #mayHold(): boolean {
    return this.#options.cacheMs > 0 && this.#options.feedAgeMs() < maxFeedAgeMs
  }

  async #generate(keyId: string, authenticated: Uint8Array, isFirst: () => Promise<boolean>): Promise<DataKey> {
    const { keyring } = this.#options
    try {
      return await keyring.generateDataKey(keyId, authenticated)
    } catch (error) {
      if (!(error instanceof KeyringError && error.reason === 'UNKNOWN_KEY')) throw error
      if (await isFirst()) await keyring.createKey(keyId)
      // Where this is not the first value any more, another made the key meanwhile, or it went missing: the keyring knows.
      return keyring.generateDataKey(keyId, authenticated)
    }
  }

  /** A copy for the caller to use and to overwrite: the one that is held may end at any moment. Asked for once, however many wait. */
  async #unwrap(name: string, wrapped: WrappedDataKey, place: SealedPlace): Promise<Uint8Array> {
    const begun = this.#unwrapping.get(name)
    if (begun !== undefined) return Uint8Array.from(await begun)
    const { tenantId, workspaceId } = place
    // Whoever is told to forget while this is under way must not find it held afterwards.
    const forgotten = this.#forgotten
    const asked = this.#options.keyring.unwrapDataKey(wrapped, wrappedFor(place, wrapped.keyId))
    this.#unwrapping.set(name, asked)
    try {
      const key = await asked
      if (this.#mayHold() && forgotten === this.#forgotten) {
        this.#held.set(name, { tenantId, workspaceId, key: Uint8Array.from(key) })
      }
      return Uint8Array.from(key)
    } finally {
      this.#unwrapping.delete(name)
      // Behind everybody who waits for the same promise: each has made a copy by then.
      setImmediate(() => void asked.then((key) => key.fill(0)).catch(() => undefined))
    }
  }
}

/** What a data key of a workspace unwraps with: not under another workspace, nor for another purpose. */
function wrappedFor({ purpose, tenantId, workspaceId }: WorkspacePlace, keyId: string): Uint8Array {
  return lengthPrefixed(['workspace-data-key', purpose, tenantId, workspaceId, keyId])
}

/** Every input of the unwrapping, so that a key held for one place is never found for another. */
function nameOf({ keyId, keyVersion, bytes }: WrappedDataKey, { purpose, tenantId, workspaceId }: SealedPlace): string {
  return hash('sha256', lengthPrefixed([purpose, tenantId, workspaceId, keyId, String(keyVersion), bytes]), 'base64')
}

function isWithin(at: SealedPlace, { purpose, tenantId, workspaceId }: WorkspacePlace): boolean {
  return at.purpose === purpose && at.tenantId === tenantId && at.workspaceId === workspaceId
}
