import { randomUUID } from 'node:crypto'
import { type TenantContext, tenantCacheKey } from 'tenure-sdk'
import { type TenantGuard, tenantRepository } from 'tenure-sdk/guard'
import { type DataSource, MoreThan } from 'typeorm'
import { type Order, OrderTable } from './order.ts'
import type { OrderCache } from './order-cache.ts'

export interface NewOrder {
  readonly item: string
  readonly quantity: number
}

export interface OrderPage {
  readonly orders: readonly Order[]
  /** The id to go on after; undefined on the last page. */
  readonly nextAfter: string | undefined
}

/** The orders of one workspace. There is no way to ask for others: the place is fixed where this is made. */
export interface Orders {
  list(pageSize: number, after: string | undefined): Promise<OrderPage>
  /** Undefined when this workspace has no order of that id, whoever else has one. */
  get(orderId: string): Promise<Order | undefined>
  create(order: NewOrder): Promise<Order>
  /** Everybody's. A query as it is forgotten: it names neither tenant nor workspace. */
  listUnscoped(): Promise<readonly { readonly order_id: string }[]>
}

/** What is the same for all requests. */
export interface OrdersParts {
  readonly database: DataSource
  readonly guard: TenantGuard
  readonly cache: OrderCache
}

/** The place comes from the verified token alone, never from anything else in the request. */
export function ordersOf({ database, guard, cache }: OrdersParts, context: TenantContext): Orders {
  const table = tenantRepository(guard, database.getRepository(OrderTable), context)
  const cacheKey = (orderId: string) => tenantCacheKey(context, 'order', orderId)
  return {
    async list(pageSize, after) {
      const found = await table.find({
        where: after === undefined ? {} : { orderId: MoreThan(after) },
        order: { orderId: 'ASC' },
        // One more than asked for says whether there is another page.
        take: pageSize + 1,
      })
      const orders = found.slice(0, pageSize)
      return { orders, nextAfter: found.length > pageSize ? orders.at(-1)?.orderId : undefined }
    },
    async get(orderId) {
      const key = cacheKey(orderId)
      const found = cache.get(key) ?? (await table.findOne({ where: { orderId } }))
      // An order never changes, so what is remembered stays true.
      if (found !== undefined) cache.set(key, found)
      return found
    },
    async create({ item, quantity }) {
      const { tenantUid: tenantId, workspaceUid: workspaceId, principal: createdBy } = context
      const order = { orderId: randomUUID(), item, quantity, createdBy, createTime: new Date() }
      await table.insert(order)
      return { tenantId, workspaceId, ...order }
    },
    listUnscoped: () => database.query('SELECT order_id FROM orders ORDER BY order_id LIMIT 100'),
  }
}
