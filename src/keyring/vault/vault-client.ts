import nodeVault from 'node-vault'
import type { HttpTransport } from './http-transport.ts'
import { VaultAway } from './vault-away.ts'

export type Method = 'read' | 'write' | 'delete'

export interface VaultAnswer {
  readonly status: number
  readonly body: unknown
}

/** Speaks to one namespace with one token, or with none. */
export interface VaultClient {
  /** Answers whatever Vault answers. Throws VaultAway where it does not, and where it is sealed. */
  ask(signal: AbortSignal, method: Method, path: string, body?: object): Promise<VaultAnswer>
  /** Whether Vault ever took its token. */
  hasServed(): boolean
}

export interface VaultClientOptions {
  /** Without a slash at its end. */
  readonly address: string
  readonly namespace: string | undefined
  readonly transport: HttpTransport
}

const pathPattern = /^[a-z0-9_-]+(?:\/[a-z0-9_-]+)*$/

/**
 * A client for each token, because one that is given another later keeps sending the first where headers are shared. What
 * node-vault would take from the environment (token, namespace, prefix) or write to the debug log (bodies) is taken away.
 */
export function createVaultClient(options: VaultClientOptions, token: string | undefined): VaultClient {
  const { address, namespace, transport } = options
  const client = nodeVault({
    endpoint: address,
    debug: () => {},
    'request-promise': { defaults: () => transport.send },
  })
  Object.assign(client, { token: token ?? '', namespace: namespace ?? '', pathPrefix: '' })
  let hasServed = false
  return {
    hasServed: () => hasServed,
    async ask(signal, method, path, body) {
      // Paths are not encoded by node-vault: a name with dots in it would reach another key.
      if (!pathPattern.test(path)) throw new TypeError('this is no path of Vault')
      const answer = await answerOf(
        method === 'write' ? client.write(path, body ?? {}, { signal }) : client[method](path, { signal }),
      )
      if (answer.status === 503)
        throw new VaultAway('is sealed or has no active node', 'Unseal it, or set VAULT_ADDR to one that is active.')
      hasServed ||= answer.status !== 403
      return answer
    },
  }
}

/** node-vault throws for what is neither 200 nor 204. */
async function answerOf(call: Promise<unknown>): Promise<VaultAnswer> {
  try {
    return { status: 200, body: await call }
  } catch (error) {
    const response = error instanceof Error && 'response' in error ? error.response : undefined
    if (isResponse(response)) return { status: response.statusCode, body: response.body }
    throw error instanceof VaultAway ? error : new VaultAway('cannot be asked')
  }
}

function isResponse(value: unknown): value is { readonly statusCode: number; readonly body: unknown } {
  return typeof value === 'object' && value !== null && 'statusCode' in value && typeof value.statusCode === 'number'
}
