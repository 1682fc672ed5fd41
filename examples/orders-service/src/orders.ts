import { randomUUID } from 'node:crypto'
import type { TenantContext } from 'tenure-sdk'
import { type DataSource, MoreThan } from 'typeorm'
import { type Order, OrderTable } from './order.ts'

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
}

/** The place comes from the verified token alone, never from anything else in the request. */
export function ordersOf(database: DataSource, context: TenantContext): Orders {
  const place = { tenantId: context.tenantUid, workspaceId: context.workspaceUid }
  const table = database.getRepository(OrderTable)
  return {
    async list(pageSize, after) {
      const found = await table.find({
        where: { ...place, ...(after === undefined ? {} : { orderId: MoreThan(after) }) },
        order: { orderId: 'ASC' },
        // One more than asked for says whether there is another page.
        take: pageSize + 1,
      })
      const orders = found.slice(0, pageSize)
      return { orders, nextAfter: found.length > pageSize ? orders.at(-1)?.orderId : undefined }
    },
    async get(orderId) {
      return (await table.findOneBy({ ...place, orderId })) ?? undefined
    },
    async create({ item, quantity }) {
      const createdBy = context.principal
      const order: Order = { ...place, orderId: randomUUID(), item, quantity, createdBy, createTime: new Date() }
      await table.insert(order)
      return order
    },
  }
}
