import { field, numberIn, textIn } from './answer-fields.ts'
import { VaultAway } from './vault-away.ts'
import type { VaultAnswer, VaultClient } from './vault-client.ts'

/** How the server shows Vault who it is. Secret. */
export type VaultCredential =
  | { readonly kind: 'token'; readonly token: string }
  | { readonly kind: 'approle'; readonly roleId: string; readonly secretId: string }

/** A token for a time. */
export interface Lease {
  readonly client: VaultClient
  /** How long the token lives from when it was last heard of. 0: for ever. */
  readonly ttlMs: number
  readonly isRenewable: boolean
  /** What is left now, in milliseconds; undefined where the token is refused. Throws VaultAway. */
  lookUp(signal: AbortSignal): Promise<number | undefined>
  /** What is left after renewing; undefined where that is refused. Throws VaultAway. */
  renew(signal: AbortSignal): Promise<number | undefined>
}

/** Undefined where Vault refuses the credential. Throws VaultAway where it does not decide. */
export async function obtainLease(
  credential: VaultCredential,
  clientFor: (token: string | undefined) => VaultClient,
  signal: AbortSignal,
): Promise<Lease | undefined> {
  if (credential.kind === 'token') {
    const client = clientFor(credential.token)
    const answer = await client.ask(signal, 'read', 'auth/token/lookup-self')
    if (isRefused(answer)) return undefined
    const data = field(answer.body, 'data')
    return leaseOf(client, millisecondsIn(data, 'ttl'), field(data, 'renewable') === true)
  }
  const login = { role_id: credential.roleId, secret_id: credential.secretId }
  const answer = await clientFor(undefined).ask(signal, 'write', 'auth/approle/login', login)
  if (isRefused(answer)) return undefined
  const auth = field(answer.body, 'auth')
  const token = textIn(auth, 'client_token')
  if (token === undefined) throw new VaultAway('gave no token for the role')
  return leaseOf(clientFor(token), millisecondsIn(auth, 'lease_duration'), field(auth, 'renewable') === true)
}

function leaseOf(client: VaultClient, ttlMs: number, isRenewable: boolean): Lease {
  return {
    ...{ client, ttlMs, isRenewable },
    async lookUp(signal) {
      const answer = await client.ask(signal, 'read', 'auth/token/lookup-self')
      return isRefused(answer) ? undefined : millisecondsIn(field(answer.body, 'data'), 'ttl')
    },
    async renew(signal) {
      const answer = await client.ask(signal, 'write', 'auth/token/renew-self')
      return isRefused(answer) ? undefined : millisecondsIn(field(answer.body, 'auth'), 'lease_duration')
    },
  }
}

/** Whatever is neither an answer nor a refusal decides nothing about the credential. */
function isRefused({ status }: VaultAnswer): boolean {
  if (status === 200) return false
  if (status === 400 || status === 403) return true
  throw new VaultAway(`answered a login with status ${status}`)
}

function millisecondsIn(value: unknown, name: string): number {
  const seconds = numberIn(value, name)
  if (seconds === undefined) throw new VaultAway('does not say how long the token lives')
  return seconds * 1000
}
