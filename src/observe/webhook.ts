import { createHmac } from 'node:crypto'
import type { Clock } from '../base/clock.ts'

/** Where messages go by the rules of Standard Webhooks. */
export interface Webhook {
  readonly url: string
  /** Signs every message; undefined: unsigned. */
  readonly secret: Uint8Array | undefined
  readonly clock: Clock
}

const timeoutMs = 5_000

/** Sends one message, once. `id` is the same each time one is sent again. Answers why it was not taken; undefined: it was. */
export async function postWebhook(
  { url, secret, clock }: Webhook,
  id: string,
  body: string,
  ended: AbortSignal,
): Promise<string | undefined> {
  const seconds = String(Math.floor(clock.nowMs() / 1000))
  const headers = {
    'content-type': 'application/json',
    ...{ 'webhook-id': id, 'webhook-timestamp': seconds },
    ...(secret === undefined ? {} : { 'webhook-signature': signatureOf(secret, id, seconds, body) }),
  }
  try {
    // A redirect would carry the message to somebody nobody chose.
    const signal = AbortSignal.any([AbortSignal.timeout(timeoutMs), ended])
    const answer = await fetch(url, { method: 'POST', redirect: 'error', headers, body, signal })
    await answer.body?.cancel()
    return answer.ok ? undefined : `it answered ${answer.status}`
  } catch {
    return 'it cannot be reached'
  }
}

function signatureOf(secret: Uint8Array, id: string, seconds: string, body: string): string {
  return `v1,${createHmac('sha256', secret).update(`${id}.${seconds}.${body}`).digest('base64')}`
}
