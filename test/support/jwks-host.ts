import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export type Answer = (request: IncomingMessage, response: ServerResponse) => void

export interface JwksHost extends AsyncDisposable {
  readonly url: string
  /** How often the keys were asked for. */
  readonly questions: number
  /** What it answers from now on. */
  answer: Answer
}

export function jwksAnswer(...keys: readonly object[]): Answer {
  return (_request, response) => response.setHeader('content-type', 'application/json').end(JSON.stringify({ keys }))
}

/** An issuer's keys on a port of this machine, as bad as a test needs them. */
export async function startJwksHost(first: Answer): Promise<JwksHost> {
  let questions = 0
  const server = createServer((request, response) => {
    questions += 1
    host.answer(request, response)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const host: JwksHost = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/.well-known/jwks.json`,
    answer: first,
    get questions() {
      return questions
    },
    async [Symbol.asyncDispose]() {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
  return host
}
