import { TenureError } from './errors.ts'

/** Hands a fixed set of items out, each to one borrower at a time, in the order they asked. */
export interface LeasePool<Item> {
  /**
   * Waits for a free item, runs `work` with it, and takes it back whatever happens. Throws OVERLOADED when too many wait
   * already, DATABASE_UNAVAILABLE when it waited too long.
   */
  use<T>(work: (item: Item) => Promise<T>): Promise<T>
  /** Waits until every item is back, then keeps them all: every later use throws SHUTTING_DOWN. */
  close(): Promise<void>
}

export interface LeasePoolOptions {
  /** How many may wait at once. */
  readonly maxWaiting: number
  /** How long one may wait, in milliseconds; unset: for ever. */
  readonly maxWaitMs?: number
}

export function createLeasePool<Item>(items: readonly Item[], options: LeasePoolOptions): LeasePool<Item> {
  return new QueuedPool(items, options)
}

class QueuedPool<Item> implements LeasePool<Item> {
  readonly #size: number
  readonly #options: LeasePoolOptions
  readonly #free: Item[]
  readonly #waiting = new Set<(item: Item) => void>()
  #closed = false
  #allBack: (() => void) | undefined

  constructor(items: readonly Item[], options: LeasePoolOptions) {
    this.#size = items.length
    this.#free = [...items]
    this.#options = options
  }

  async use<T>(work: (item: Item) => Promise<T>): Promise<T> {
    const item = await this.#lease()
    try {
      return await work(item)
    } finally {
      this.#giveBack(item)
    }
  }

  close(): Promise<void> {
    this.#closed = true
    if (this.#free.length === this.#size) return Promise.resolve()
    return new Promise((resolve) => {
      this.#allBack = resolve
    })
  }

  #lease(): Item | Promise<Item> {
    if (this.#closed) {
      throw new TenureError('SHUTTING_DOWN', 'This server is going away. Repeat the call; another one answers.')
    }
    // By count: an item may be undefined, where the turn itself is all that is lent.
    if (this.#free.length > 0) return this.#free.pop() as Item
    if (this.#waiting.size >= this.#options.maxWaiting) {
      throw new TenureError('OVERLOADED', 'Too many calls wait for the database. Repeat the call in a moment.', {
        retryAfterMs: 200,
      })
    }
    return this.#wait()
  }

  #wait(): Promise<Item> {
    const { maxWaitMs } = this.#options
    return new Promise((resolve, reject) => {
      const giveUp = () => {
        this.#waiting.delete(take)
        reject(waitedTooLong())
      }
      const timer = maxWaitMs === undefined ? undefined : setTimeout(giveUp, maxWaitMs)
      const take = (item: Item) => {
        clearTimeout(timer)
        resolve(item)
      }
      this.#waiting.add(take)
    })
  }

  #giveBack(item: Item): void {
    const [next] = this.#waiting
    if (next !== undefined) {
      this.#waiting.delete(next)
      next(item)
      return
    }
    this.#free.push(item)
    if (this.#free.length === this.#size) this.#allBack?.()
  }
}

function waitedTooLong(): TenureError {
  return new TenureError('DATABASE_UNAVAILABLE', 'The database is busy. Repeat the call in a moment.', {
    retryAfterMs: 500,
  })
}
