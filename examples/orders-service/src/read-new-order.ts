import type { IncomingMessage } from 'node:http'
import type { NewOrder } from './orders.ts'
import { RequestError } from './request-error.ts'

const maxBytes = 16_384
const maxQuantity = 1_000_000

/** The order in the body of a request. Throws a RequestError that says what is wrong with it. */
export async function readNewOrder(request: IncomingMessage): Promise<NewOrder> {
  const type = request.headers['content-type'] ?? ''
  if (!/^application\/json(?: *; *charset=utf-8)?$/i.test(type) || request.headers['content-encoding'] !== undefined) {
    throw new RequestError('UNSUPPORTED_MEDIA_TYPE', 'Send the order as application/json, not compressed.')
  }
  const body = parseJson(await readBody(request))
  if (typeof body !== 'object' || body === null || Array.isArray(body)) throw invalid('Send one JSON object.')
  const { item, quantity, ...others } = body as Readonly<Record<string, unknown>>
  const [unknown] = Object.keys(others)
  // Refused rather than passed over: who sends a tenant or a workspace in the body believes that it counts.
  if (unknown !== undefined) throw invalid('An order has an item and a quantity; remove every other field.')
  if (
    typeof item !== 'string' ||
    item.length > 200 ||
    !/^[^\p{Cc}\p{Cs}]*[^\p{Cc}\p{Cs}\s][^\p{Cc}\p{Cs}]*$/u.test(item)
  ) {
    throw invalid('item: has to be text of 1 to 200 characters on one line.')
  }
  if (typeof quantity !== 'number' || !Number.isInteger(quantity) || quantity < 1 || quantity > maxQuantity) {
    throw invalid(`quantity: has to be a whole number from 1 to ${maxQuantity}.`)
  }
  return { item, quantity }
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length > maxBytes)
      throw new RequestError('BODY_TOO_LARGE', `A body has at most ${maxBytes} bytes.`, { connection: 'close' })
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body))
  } catch {
    throw invalid('The body is no JSON in UTF-8.')
  }
}

function invalid(message: string): RequestError {
  return new RequestError('INVALID_REQUEST', message)
}
