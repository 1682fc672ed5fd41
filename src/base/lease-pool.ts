import { TenureError } from './errors.ts'

/** Hands a fixed set of items out, each to one borrower at a time, in the order they asked. */
export interface LeasePool<Item> {
  /** Waits for a free item, runs `work` with it, and takes it back whatever happens. Throws OVERLOADED when too many wait already. */
  use<T>(work: (item: Item) => Promise<T>): Promise<T>
  /** Waits until every item is back, then keeps them all: every later use throws SHUTTING_DOWN. */
  close(): Promise<void>
}

export function createLeasePool<Item>(items: readonly Item[], maxWaiting: number): LeasePool<Item> {
  const free = [...items]
  const waiting: ((item: Item) => void)[] = []
  let closed = false
  let closing: (() => void) | undefined

  const giveBack = (item: Item): void => {
    const next = waiting.shift()
    if (next !== undefined) {
      next(item)
      return
    }
    free.push(item)
    if (closing !== undefined && free.length === items.length) closing()
  }

  const lease = (): Item | Promise<Item> => {
    if (closed)
      throw new TenureError('SHUTTING_DOWN', 'This server is going away. Repeat the call; another one answers.')
    // By count: an item may be undefined, where the turn itself is all that is lent.
    if (free.length > 0) return free.pop() as Item
    if (waiting.length >= maxWaiting) {
      throw new TenureError('OVERLOADED', 'Too many calls wait for the database. Repeat the call in a moment.', {
        retryAfterMs: 200,
      })
    }
    return new Promise((resolve) => waiting.push(resolve))
  }

  return {
    async use(work) {
      const item = await lease()
      try {
        return await work(item)
      } finally {
        giveBack(item)
      }
    },
    close() {
      closed = true
      if (free.length === items.length) return Promise.resolve()
      return new Promise((resolve) => {
        closing = resolve
      })
    },
  }
}
