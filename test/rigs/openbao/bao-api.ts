import { setTimeout as sleep } from 'node:timers/promises'

export interface BaoAnswer {
  readonly status: number
  readonly body: BaoBody
}

/** Of the API of OpenBao what tests look at. */
export interface BaoBody {
  readonly data?: Readonly<Record<string, unknown>>
  readonly auth?: { readonly client_token: string; readonly accessor: string }
  readonly errors?: readonly string[]
  readonly sealed?: boolean
  readonly initialized?: boolean
  readonly root_token?: string
  readonly keys_base64?: readonly string[]
}

/** One request, whatever it is answered. `token`: none for what needs none. */
export async function askBao(
  address: string,
  token: string | undefined,
  method: string,
  path: string,
  body?: object,
): Promise<BaoAnswer> {
  const response = await fetch(`${address}/v1/${path}`, {
    method,
    headers: token === undefined ? {} : { 'x-vault-token': token },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const text = await response.text()
  return { status: response.status, body: text === '' ? {} : JSON.parse(text) }
}

/** Waits until the server is unsealed and does its work. */
export async function serving(address: string): Promise<void> {
  const signal = AbortSignal.timeout(30_000)
  while (!signal.aborted) {
    if ((await askBao(address, undefined, 'GET', 'sys/health')).status === 200) return
    await sleep(20)
  }
  throw new Error('OpenBao is unsealed and does not serve')
}
