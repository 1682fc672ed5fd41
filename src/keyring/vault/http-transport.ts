import * as http from 'node:http'
import * as https from 'node:https'
import { awayBecause, VaultAway } from './vault-away.ts'

/** What node-vault hands to what it sends requests with. */
export interface TransportRequest {
  readonly method: string
  readonly uri: string
  readonly headers: Readonly<Record<string, string>>
  readonly json?: unknown
  readonly signal: AbortSignal
}

/** What node-vault wants back. */
export interface TransportResponse {
  readonly statusCode: number
  readonly body: unknown
  readonly request: { readonly path: string }
}

export interface HttpTransport extends Disposable {
  /** Throws VaultAway and nothing else. */
  send(request: TransportRequest): Promise<TransportResponse>
}

export interface HttpTransportOptions {
  readonly isEncrypted: boolean
  /** PEM of the authorities the server's certificate must come from. Undefined: those this machine trusts. */
  readonly ca: Buffer | undefined
  readonly maxConnections: number
}

const maxAnswerBytes = 1024 * 1024
/** Before whatever lies in between forgets an idle connection without a word. */
const maxIdleMs = 20_000

/**
 * What carries requests instead of the client node-vault comes with, which follows redirects with the token, goes by way
 * of any proxy the environment names, gives up keep-alive where an authority is set, and throws what holds the request.
 */
export function createHttpTransport({ isEncrypted, ca, maxConnections }: HttpTransportOptions): HttpTransport {
  const pool = { keepAlive: true, maxSockets: maxConnections, maxFreeSockets: maxConnections, timeout: maxIdleMs }
  const tls = ca === undefined ? {} : { ca }
  // Said, not left to be: the environment can turn the check of every certificate off that nobody asks for.
  const checked = { ...tls, minVersion: 'TLSv1.2', rejectUnauthorized: true } as const
  const agentOf = (options: http.AgentOptions) =>
    isEncrypted ? new https.Agent({ ...options, ...checked }) : new http.Agent(options)
  const agent = agentOf(pool)
  const fresh = agentOf({ keepAlive: false })
  const { request } = isEncrypted ? https : http
  const sendBy = (by: http.Agent, { method, uri, headers, json, signal }: TransportRequest) =>
    new Promise<TransportResponse>((resolve, reject) => {
      const body = typeof json === 'object' && json !== null ? Buffer.from(JSON.stringify(json)) : undefined
      const length = body === undefined ? {} : { 'content-type': 'application/json', 'content-length': body.length }
      const fail = (error: unknown) => {
        if (signal.aborted) reject(new VaultAway('does not answer in time', 'Look at its load and at the network.'))
        else reject(outgoing.reusedSocket && !answered && wasClosed(error) ? new KeptTooLong() : awayBecause(error))
      }
      let answered = false
      const url = new URL(uri)
      // The header is what Vault's own agents demand of a request that is meant.
      const outgoing = request(url, {
        ...{ method, agent: by, signal },
        headers: { ...headers, ...length, 'x-vault-request': 'true' },
      })
      outgoing.on('error', fail)
      outgoing.on('response', (incoming) => {
        answered = true
        readAnswer(incoming).then(
          (text) =>
            resolve({ statusCode: incoming.statusCode ?? 0, body: parse(text), request: { path: url.pathname } }),
          fail,
        )
      })
      outgoing.end(body)
    })
  return {
    async send(sent) {
      try {
        return await sendBy(agent, sent)
      } catch (error) {
        if (!(error instanceof KeptTooLong)) throw error
        // A rotation may have been done before the connection went; repeated blindly it would be done twice.
        if (sent.uri.endsWith('/rotate')) throw awayBecause(error)
        return sendBy(fresh, sent)
      }
    },
    [Symbol.dispose]() {
      agent.destroy()
      fresh.destroy()
    },
  }
}

/** A kept connection had been closed at the other end before the request was sent on it: nothing is known to be wrong with Vault. */
class KeptTooLong extends Error {}

function wasClosed(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ECONNRESET' || error.code === 'EPIPE')
}

async function readAnswer(incoming: http.IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of incoming) {
    bytes += chunk.length
    if (bytes > maxAnswerBytes) throw new Error('the answer is too long')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

/** Undefined for what is no JSON: a proxy before Vault answers in HTML. */
function parse(text: string): unknown {
  try {
    return text === '' ? undefined : JSON.parse(text)
  } catch {
    return undefined
  }
}
