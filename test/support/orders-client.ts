import { once } from 'node:events'
import { request } from 'node:http'
import type { ChildOrders } from './child-orders.ts'

export interface Sent {
  readonly token?: string
  /** As they go out, repeated ones too. */
  readonly headers?: readonly string[]
  readonly body?: unknown
  readonly method?: string
}

export interface Answered {
  readonly status: number
  readonly text: string
  readonly json: Readonly<Record<string, unknown>>
  readonly reason: string | undefined
}

export const inProd = ['x-workspace-id', 'prod']

/** One request over a connection of its own, with its headers as they are. */
export async function askOrders(
  service: Pick<ChildOrders, 'url'>,
  path: string,
  { token, headers = inProd, body, method }: Sent,
): Promise<Answered> {
  const content = body === undefined ? [] : ['content-type', 'application/json']
  const credential = token === undefined ? [] : ['authorization', `Bearer ${token}`]
  const all = ['host', 'orders', ...credential, ...headers, ...(headers.includes('content-type') ? [] : content)]
  const outgoing = request(`${service.url}${path}`, {
    method: method ?? (body === undefined ? 'GET' : 'POST'),
    headers: [...all, 'transfer-encoding', 'chunked'],
  })
  outgoing.end(body === undefined || typeof body === 'string' ? body : JSON.stringify(body))
  const [response] = await once(outgoing, 'response')
  let text = ''
  for await (const chunk of response) text += String(chunk)
  const json = JSON.parse(text)
  return { status: response.statusCode, text, json, reason: json.error?.reason }
}

export const outcome = ({ status, reason }: Answered) => [status, reason]
