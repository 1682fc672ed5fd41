import type { IncomingMessage } from 'node:http'
import { requirePermission, type TenantContext } from 'tenure-sdk'
import type { Order } from './order.ts'
import type { Orders } from './orders.ts'
import { readNewOrder } from './read-new-order.ts'
import { notFound, RequestError } from './request-error.ts'
import type { Stock } from './stock.ts'

export interface Route {
  /** The workspace the address names, if it names one. */
  readonly workspace: string | undefined
  readonly orderId: string | undefined
}

/** What a request acts with. */
export interface Desk {
  readonly orders: Orders
  readonly stock: Stock | undefined
  /** Whether `GET /orders/all` is there. */
  readonly unscopedReport: boolean
}

export interface Answer {
  readonly status: number
  readonly body: unknown
  readonly headers?: Readonly<Record<string, string>>
}

const pathPattern = /^(?:\/workspaces\/([^/]+))?\/orders(?:\/([^/]+))?$/
const uuid = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/
const defaultPageSize = 50
const maxPageSize = 200

/** `/orders`, `/orders/<id>`, or either behind `/workspaces/<slug or uid>`; undefined for every other address. */
export function routeOf(request: IncomingMessage): Route | undefined {
  const match = pathPattern.exec(addressOf(request).pathname)
  return match === null ? undefined : { workspace: match[1], orderId: match[2] }
}

/** Acts in the workspace that the orders of the desk were made for. */
export async function handle(
  request: IncomingMessage,
  { orderId }: Route,
  context: TenantContext,
  { orders, stock, unscopedReport }: Desk,
): Promise<Answer> {
  if (orderId === 'all' && unscopedReport) {
    requirePermission(context, 'orders.read')
    return { status: 200, body: { order_ids: (await orders.listUnscoped()).map((row) => row.order_id) } }
  }
  if (orderId !== undefined) {
    if (request.method !== 'GET') throw methodNotAllowed('GET')
    requirePermission(context, 'orders.read')
    const found = uuid.test(orderId) ? await orders.get(orderId) : undefined
    if (found === undefined) throw notFound()
    return { status: 200, body: orderToJson(found) }
  }
  if (request.method === 'GET') {
    requirePermission(context, 'orders.read')
    return listOrders(request, orders)
  }
  if (request.method !== 'POST') throw methodNotAllowed('GET, POST')
  requirePermission(context, 'orders.write')
  const order = await readNewOrder(request)
  await stock?.reserve(order, context)
  const created = await orders.create(order)
  return { status: 201, body: orderToJson(created), headers: { location: `/orders/${created.orderId}` } }
}

async function listOrders(request: IncomingMessage, orders: Orders): Promise<Answer> {
  const { searchParams } = addressOf(request)
  const sizeText = searchParams.get('page_size') ?? String(defaultPageSize)
  const size = Number(sizeText)
  if (!/^\d{1,6}$/.test(sizeText) || size < 1)
    throw invalid(`page_size: has to be a whole number from 1; at most ${maxPageSize} are answered.`)
  const after = searchParams.get('page_token') ?? undefined
  // A token names a place in the list of this workspace alone; one from elsewhere shows nothing of elsewhere.
  if (after !== undefined && !uuid.test(after))
    throw invalid('page_token: has to be the next_page_token of the page before.')
  const page = await orders.list(Math.min(size, maxPageSize), after)
  return { status: 200, body: { orders: page.orders.map(orderToJson), next_page_token: page.nextAfter ?? '' } }
}

function orderToJson(order: Order): Record<string, string | number> {
  const { orderId, item, quantity, createdBy, createTime } = order
  return { order_id: orderId, item, quantity, created_by: createdBy, create_time: createTime.toISOString() }
}

function addressOf(request: IncomingMessage): URL {
  const text = `http://service${request.url ?? '/'}`
  // `*` and `host:port` are addresses of other methods than ours.
  return URL.canParse(text) ? new URL(text) : new URL('http://service/')
}

function methodNotAllowed(allow: string): RequestError {
  return new RequestError('METHOD_NOT_ALLOWED', `Here are ${allow}.`, { allow })
}

function invalid(message: string): RequestError {
  return new RequestError('INVALID_REQUEST', message)
}
