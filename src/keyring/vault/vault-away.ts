/**
 * Vault does not do its work for anybody now: it is not reached, does not answer in time, or is sealed. Made of our own
 * words and a code: what a client of HTTP throws carries the request, and with it the token.
 */
export class VaultAway extends Error {
  override readonly name = 'VaultAway'
}

/** The code of a failure below HTTP, and nothing else of it. */
export function awayBecause(error: unknown): VaultAway {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  return new VaultAway(/^[A-Z0-9_]{1,64}$/.test(code) ? `cannot be reached (${code})` : 'cannot be reached')
}
