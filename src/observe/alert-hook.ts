import { setTimeout as sleep } from 'node:timers/promises'
import type { Ids } from '../base/ids.ts'
import { postWebhook, type Webhook } from './webhook.ts'

/** What operators are woken for. Closed: docs/operations.md lists them. */
export type AlertType = 'guard.refused' | 'isolation.failed' | 'audit.rewritten' | 'audit.restored' | 'row.forged'

/** Facts about it. Never a value, never a person's data. */
export type AlertData = Readonly<Record<string, string | number>>

/** Tells somebody outside at once. Never rejects, never makes anybody wait; disposing sends what is left. */
export interface AlertHook extends AsyncDisposable {
  raise(type: AlertType, data: AlertData): void
}

export interface AlertHookOptions extends Webhook {
  readonly ids: Ids
  readonly failed: (type: AlertType, reason: string) => void
}

const tries = 3
const pauseMs = 1_000
/** A server that stops does not wait for a receiver that has gone silent, once for each message. */
const closeMs = 5_000
/** More at once is one incident: those beyond are counted in the next message. */
const maxWaiting = 100

interface Alert {
  readonly id: string
  readonly type: AlertType
  readonly timeMs: number
  readonly data: AlertData
}

export const noAlerts: AlertHook = { raise: () => undefined, [Symbol.asyncDispose]: async () => undefined }

/** Sends each alert as a POST of JSON, one after the other, a few times where it is not taken. */
export function createAlertHook(options: AlertHookOptions): AlertHook {
  const waiting: Alert[] = []
  let suppressed = 0
  let sending: Promise<void> | undefined
  const closing = new AbortController()
  const drain = async (): Promise<void> => {
    for (let alert = waiting.shift(); alert !== undefined; alert = waiting.shift()) {
      const left = suppressed
      suppressed = 0
      await deliver(options, alert, left, closing.signal)
    }
  }
  return {
    raise(type, data) {
      if (waiting.length >= maxWaiting) {
        suppressed += 1
        return
      }
      waiting.push({ id: options.ids.next(), type, timeMs: options.clock.nowMs(), data })
      sending ??= drain().finally(() => {
        sending = undefined
      })
    },
    async [Symbol.asyncDispose]() {
      const timer = setTimeout(() => closing.abort(), closeMs)
      await sending
      clearTimeout(timer)
    },
  }
}

async function deliver(
  options: AlertHookOptions,
  alert: Alert,
  suppressed: number,
  closing: AbortSignal,
): Promise<void> {
  const timestamp = new Date(alert.timeMs).toISOString()
  const data = suppressed === 0 ? alert.data : { ...alert.data, suppressed }
  const body = JSON.stringify({ type: alert.type, timestamp, data })
  for (let tried = 1; ; tried += 1) {
    const refusal = closing.aborted ? 'the server stops' : await postWebhook(options, alert.id, body, closing)
    if (refusal === undefined) return
    if (tried === tries || closing.aborted) return options.failed(alert.type, refusal)
    await sleep(pauseMs * tried, undefined, { signal: closing }).catch(() => undefined)
  }
}
