import type { Order } from './order.ts'

/** The orders asked for last, of all tenants: whoever asks has to bring a key that holds the place. */
export interface OrderCache {
  get(key: string): Order | undefined
  set(key: string, order: Order): void
}

export function createOrderCache(maxOrders: number): OrderCache {
  const orders = new Map<string, Order>()
  return {
    get: (key) => orders.get(key),
    set(key, order) {
      orders.delete(key)
      orders.set(key, order)
      const [oldest] = orders.keys()
      if (orders.size > maxOrders && oldest !== undefined) orders.delete(oldest)
    },
  }
}
