import type { CallContexts, TenantContext } from 'tenure-sdk'
import type { NewOrder } from './orders.ts'
import { RequestError } from './request-error.ts'

/** The stock service, as this one needs it. */
export interface Stock {
  /** Throws when there is too little. */
  reserve(order: NewOrder, context: TenantContext): Promise<void>
}

/** Each call carries the context of its request: whose order it is, the other service learns from there. */
export function createStock(url: string, contexts: CallContexts): Stock {
  return {
    async reserve(order, context) {
      const send = contexts.fetchFor(context)
      const response = await send(new URL('/reservations', url).href, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(order),
        signal: AbortSignal.timeout(5_000),
      })
      await response.body?.cancel()
      if (response.status === 409) throw new RequestError('OUT_OF_STOCK', 'There is not so much of it left.')
      if (!response.ok) throw new Error(`the stock service answered ${response.status}`)
    },
  }
}
