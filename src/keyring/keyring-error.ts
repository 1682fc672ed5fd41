/**
 * Why a keyring did not do what it was asked, closed: callers branch on it.
 * - UNKNOWN_KEY: there is no key of that id, and there was none that was destroyed.
 * - DESTROYED: the key was destroyed. For good; what it sealed is gone.
 * - BAD_CIPHERTEXT: what was to be opened was not made by this keyring for this place, or was changed since.
 * - UNAVAILABLE: the keyring cannot answer now. Repeating may help, and nothing is known to be lost.
 * - INVALID: the question or the keyring's own setup is wrong. Repeating does not help.
 */
export type KeyringErrorReason = 'UNKNOWN_KEY' | 'DESTROYED' | 'BAD_CIPHERTEXT' | 'UNAVAILABLE' | 'INVALID'

/** The message is for operators and logs; it names keys and files, never key material. It is not for callers of the API. */
export class KeyringError extends Error {
  override readonly name = 'KeyringError'
  readonly reason: KeyringErrorReason

  constructor(reason: KeyringErrorReason, message: string, options: { readonly cause?: unknown } = {}) {
    super(message, options)
    this.reason = reason
  }
}
