/**
 * Vault does not do its work for anybody now: it is not reached, does not answer in time, or is sealed. Made of our own
 * words and a code: what a client of HTTP throws carries the request, and with it the token.
 */
export class VaultAway extends Error {
  override readonly name = 'VaultAway'
  /** What an operator does about it. */
  readonly next: string

  constructor(why: string, next = 'Look at its log.') {
    super(why)
    this.next = next
  }

  /** For the operator of the Vault at that address. */
  sentence(where: string): string {
    return `Vault at ${where} ${this.message}. ${this.next}`
  }
}

/** The code of a failure below HTTP, and nothing else of it. */
export function awayBecause(error: unknown): VaultAway {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  const isKnown = /^[A-Z0-9_]{1,64}$/.test(code)
  const next = /CERT|ISSUER|SIGNATURE|ALTNAME/.test(code)
    ? 'Set VAULT_CACERT to the authority its certificate comes from, and VAULT_ADDR to a name it is made out to.'
    : 'Start it, or set VAULT_ADDR to where it is; between machines look at the network.'
  return new VaultAway(isKnown ? `cannot be reached (${code})` : 'cannot be reached', next)
}
