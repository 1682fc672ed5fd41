import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface ReceivedAlert {
  readonly type: string
  readonly data: Readonly<Record<string, string>>
}

/** Takes every alert that is sent to its URL. */
export interface AlertReceiver extends AsyncDisposable {
  readonly url: string
  readonly alerts: readonly ReceivedAlert[]
}

export async function startAlertReceiver(): Promise<AlertReceiver> {
  const alerts: ReceivedAlert[] = []
  const receiver = createServer(async (request, response) => {
    const parts: Buffer[] = []
    for await (const part of request) parts.push(part as Buffer)
    alerts.push(JSON.parse(Buffer.concat(parts).toString()) as ReceivedAlert)
    response.end()
  })
  receiver.listen(0, '127.0.0.1')
  await once(receiver, 'listening')
  return {
    url: `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/hook`,
    alerts,
    async [Symbol.asyncDispose]() {
      receiver.closeAllConnections()
      receiver.close()
    },
  }
}
