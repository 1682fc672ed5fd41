import { boundedText } from './bounded-text.ts'
import type { Fetch } from './fetch-jwks.ts'
import { serviceUrlFrom } from './service-url.ts'

export interface ControlPlaneOptions {
  /** Where Tenure answers over HTTP: `https://tenure.example`. */
  readonly url: string | URL
  /** The key of this service, or where to get the one it has now: keys are rotated. Secret. */
  readonly apiKey: string | (() => string)
  /** Sends the key over http to another machine: whoever is on the way can then use it. */
  readonly allowInsecure?: boolean
  readonly fetch?: Fetch
}

/** What a service asks of Tenure, in its own name. */
export interface ControlPlane {
  /** One unary RPC, `TokenService/IssueToken`, as JSON. Rejects with a ControlPlaneError. */
  call(method: string, request: object): Promise<Readonly<Record<string, unknown>>>
}

/** What did not work, in one word of gRPC and one of Tenure. Nothing else of the request, the key or the answer is in it. */
export class ControlPlaneError extends Error {
  override readonly name = 'ControlPlaneError'
  readonly code: string
  /** `PERMISSION_MISSING`: an ErrorReason of Tenure. Undefined where nobody answered, or not as Tenure does. */
  readonly reason: string | undefined

  constructor(
    code: string,
    { reason, cause }: { readonly reason?: string | undefined; readonly cause?: unknown } = {},
  ) {
    const why = reason === undefined ? '' : ` (${reason})`
    super(`the control plane answered ${code}${why}`, cause === undefined ? undefined : { cause })
    this.code = code
    this.reason = reason
  }

  /** Whether the same request can be answered later. */
  get passes(): boolean {
    return ['unavailable', 'deadline_exceeded', 'resource_exhausted', 'aborted', 'internal', 'unknown'].includes(
      this.code,
    )
  }
}

const timeoutMs = 5_000
/** A token and what stands round it is a tenth of this. */
const maxBytes = 65_536

export function createControlPlane(options: ControlPlaneOptions): ControlPlane {
  const { apiKey, allowInsecure = false, fetch = globalThis.fetch } = options
  const { href } = serviceUrlFrom('createControlPlane: url', options.url, allowInsecure)
  const base = href.replace(/\/+$/, '')
  const keyNow = () => (typeof apiKey === 'string' ? apiKey : apiKey())
  if (typeof apiKey !== 'function' && !isKey(apiKey)) throw new TypeError('createControlPlane: apiKey is missing')
  return {
    async call(method, request) {
      const response = await send(fetch, `${base}/tenure.v1.${method}`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${keyNow()}`,
          'content-type': 'application/json',
          accept: 'application/json',
        },
        body: JSON.stringify(request),
        // A redirect would carry the key to whoever can write one.
        redirect: 'error',
        signal: AbortSignal.timeout(timeoutMs),
      })
      const answer = await answerOf(response)
      if (response.status === 200 && answer !== undefined) return answer
      const code = typeof answer?.code === 'string' ? answer.code : codeOfStatus(response.status)
      throw new ControlPlaneError(code, { reason: reasonIn(answer?.details) })
    },
  }
}

async function send(fetch: Fetch, url: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(url, init)
  } catch (error) {
    throw new ControlPlaneError('unavailable', { cause: error })
  }
}

async function answerOf(response: Response): Promise<Readonly<Record<string, unknown>> | undefined> {
  try {
    const answer: unknown = JSON.parse(await boundedText(response, maxBytes))
    return typeof answer === 'object' && answer !== null ? (answer as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}

/** A closed word, and nothing that only looks like one: it goes into logs. */
function reasonIn(details: unknown): string | undefined {
  for (const detail of Array.isArray(details) ? (details as unknown[]) : []) {
    const { type, debug } = (detail ?? {}) as { type?: unknown; debug?: { reason?: unknown } | null }
    const reason = type === 'google.rpc.ErrorInfo' ? debug?.reason : undefined
    if (typeof reason === 'string' && /^[A-Z][A-Z0-9_]{1,62}$/.test(reason)) return reason
  }
  return undefined
}

function codeOfStatus(status: number): string {
  if (status === 401) return 'unauthenticated'
  if (status === 403) return 'permission_denied'
  if (status === 404) return 'unimplemented'
  return status === 400 ? 'invalid_argument' : 'unavailable'
}

function isKey(value: unknown): boolean {
  return typeof value === 'string' && /^[\x21-\x7e]+$/.test(value)
}
