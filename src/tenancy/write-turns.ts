import { createLeasePool, type LeasePool } from '../base/lease-pool.ts'

/**
 * Writers of one head in the order they came, two at a time: one under the head's lock and one that waits for it at the
 * database. More would gain nothing and take the connections of every other tenant.
 */
export interface WriteTurns {
  /** Throws OVERLOADED when too many wait for this head already, and what the signal says when the caller is gone by the time its turn comes. */
  take<T>(tenantId: string, signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T>
}

const inFlight = 2
const maxWaiting = 500
const maxWaitMs = 10_000

interface Queue {
  readonly pool: LeasePool<undefined>
  users: number
}

export function createWriteTurns(): WriteTurns {
  const queues = new Map<string, Queue>()
  const queueOf = (tenantId: string): Queue => {
    const known = queues.get(tenantId)
    if (known !== undefined) return known
    const items = Array.from({ length: inFlight }, () => undefined)
    const queue = { pool: createLeasePool(items, { maxWaiting, maxWaitMs }), users: 0 }
    queues.set(tenantId, queue)
    return queue
  }
  return {
    async take(tenantId, signal, work) {
      const queue = queueOf(tenantId)
      queue.users += 1
      try {
        return await queue.pool.use(() => {
          // Nobody waits for the answer any more: nothing is begun.
          signal?.throwIfAborted()
          return work()
        })
      } finally {
        queue.users -= 1
        if (queue.users === 0) queues.delete(tenantId)
      }
    },
  }
}
