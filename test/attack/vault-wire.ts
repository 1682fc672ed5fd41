import type { FaultProxy } from '../rigs/tcp-fault-proxy.ts'
import type { SecretTraces } from './seen-secrets.ts'

export interface VaultWire {
  /** Everything that was sent to Vault so far. */
  toVault(): Buffer
}

/** Learns from the wire which tokens and which keys Vault hands out. */
export function listenToVault(
  network: FaultProxy,
  { tokens, keys }: { readonly tokens: SecretTraces; readonly keys: SecretTraces },
): VaultWire {
  const sent: Buffer[] = []
  network.cutWhen((bytes, direction) => {
    if (direction === 'toServer') {
      sent.push(bytes)
      return undefined
    }
    const text = bytes.toString('latin1')
    for (const [, token = ''] of text.matchAll(/"client_token":"([^"]{16,})"/g)) tokens.add('Vault token', token)
    for (const [, key = ''] of text.matchAll(/"plaintext":"([^"]{40,})"/g)) {
      keys.add('wrapping key', Buffer.from(key, 'base64'))
    }
    return undefined
  })
  return { toVault: () => Buffer.concat(sent) }
}
